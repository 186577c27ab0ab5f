/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static io.vsockproxy.proto.FileDescriptor.Type.TRANSPORTABLE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.cli.Main;
import io.vsockproxy.counters.CounterFileReader;
import io.vsockproxy.counters.CounterId;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.SplicePipe;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.NoticePeer;
import io.vsockproxy.testing.ProxyProcess;
import io.vsockproxy.testing.RawPeer;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/**
 * The counters that a host process keeps in its file, read by this process while it runs.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class CountersTest {
    /** More than an application's socket holds. */
    private static final int MUCH = 1_500_000;

    @TempDir
    Path directory;
    private final Deque<Endpoint> opened = new ArrayDeque<>();
    private Endpoint target;
    private ProxyProcess host;
    private NoticePeer guest;
    private CounterFileReader counters;
    private int descriptorsBefore;
    private long ledgerBefore;

    @BeforeEach
    void start() throws IOException {
        target = Endpoint.listen(directory.resolve("target"));
        host = ProxyProcess.start(
            "host", "--listen", "unix:" + directory.resolve("link"), "--counters", file().toString(),
            "--drain-timeout", "1",
            "--allow-connect", directory.resolve("target").toString()).awaitReady();
        guest = new NoticePeer(Endpoint.connect(directory.resolve("link")));
        guest.send(NoticePeer.greeting(1 << 20));
        counters = new CounterFileReader(file());
        awaitCounter(CounterId.SESSIONS, 1);
        awaitCounter(CounterId.FRAMES_IN, 1);
        descriptorsBefore = host.descriptorCount();
        ledgerBefore = ledger();
    }

    @AfterEach
    void stop() {
        counters.close();
        opened.forEach(Endpoint::close);
        guest.close();
        target.close();
        host.close();
    }

    @Test
    void shouldAccountForEveryDescriptorThatTheProxyHolds() throws IOException {
        final long stalled = connect();
        final long other = connect();
        awaitCounter(CounterId.STREAM_SOCKET_DESCRIPTORS, 2);
        assertLedger(2);
        final Endpoint application = opened.getLast();
        final Endpoint[] pipe = Endpoint.pipe();
        final Endpoint[] packets = Endpoint.socketPair(Constants.SOCK_SEQPACKET);
        final Endpoint[] datagrams = Endpoint.socketPair(Constants.SOCK_DGRAM);
        final Endpoint regular = Endpoint.open(
            Files.writeString(directory.resolve("regular"), "text"), Constants.O_RDONLY);
        application.send("x", pipe[0], pipe[1], packets[0], datagrams[0], regular);
        assertEquals(5, guest.receive().getData().getTransferredFdCount());
        awaitCounter(CounterId.PIPE_READER_DESCRIPTORS, 1);
        awaitCounter(CounterId.PIPE_WRITER_DESCRIPTORS, 1);
        awaitCounter(CounterId.SEQPACKET_SOCKET_DESCRIPTORS, 1);
        awaitCounter(CounterId.DATAGRAM_SOCKET_DESCRIPTORS, 1);
        awaitCounter(CounterId.FILE_DESCRIPTORS, 1);
        awaitCounter(CounterId.LOCAL_FILE_HANDLES, 1);
        awaitCounter(CounterId.STREAM_HANDLES, 6);
        assertLedger(7);

        // One that waits for a reader, and one that waits for its frame.
        final FileDescriptor[] entries = new FileDescriptor[3];
        Arrays.fill(entries, Messages.descriptor(TRANSPORTABLE, 0));
        guest.send(Messages.data(stalled, new byte[MUCH]));
        try (Endpoint event = Endpoint.eventfd(0)) {
            guest.sendWith(Messages.data(stalled, "y", entries), event, event, event);
            awaitCounter(CounterId.QUEUED_DESCRIPTORS, 3);
            final byte[] frame = RawPeer.frame(Messages.data(other, "z", entries[0], entries[1]));
            guest.link().send(Arrays.copyOf(frame, 9), event, event);
            awaitCounter(CounterId.RECEIVED_DESCRIPTORS, 2);
            assertLedger(12);
            assertTrue(value(CounterId.QUEUED_BYTES) > 0);
            guest.link().send(Arrays.copyOfRange(frame, 9, frame.length));
            application.receive().descriptors().forEach(Endpoint::close);
        }
        Endpoint.closeAll(pipe);
        Endpoint.closeAll(packets);
        Endpoint.closeAll(datagrams);
        regular.close();
        opened.forEach(Endpoint::close);
        guest.close();
        awaitCounter(CounterId.SESSIONS, 0);
        awaitCounter(CounterId.QUEUED_BYTES, 0);
        assertLedger(-1 - 2 * SplicePipe.DESCRIPTOR_COUNT);
    }

    @Test
    void shouldCountWhatHappens() {
        final long handle = connect();
        guest.send(Messages.data(handle, "four"));
        assertEquals("four", opened.getLast().readText(4));
        opened.getLast().send("seven, ");
        assertEquals("seven, ", guest.receive().getData().getBlob().toStringUtf8());
        guest.send(Messages.connectRequest(-9, "/not/allowed"), Messages.data(77, "nobody"));
        assertEquals(Errno.EACCES, guest.receive().getConnectResponse().getErrorCode());
        awaitCounter(CounterId.BYTES_IN, 4);
        awaitCounter(CounterId.BYTES_OUT, 7);
        awaitCounter(CounterId.FRAMES_IN, 5);
        awaitCounter(CounterId.CONNECTS_REFUSED, 1);
        awaitCounter(CounterId.UNKNOWN_HANDLES, 1);
        awaitCounter(CounterId.SESSIONS_BEGUN, 1);
        assertEquals(host.pid(), counters.pid());
        // What a session has counted stays when it has ended.
        guest.close();
        awaitCounter(CounterId.SESSIONS, 0);
        awaitCounter(CounterId.BYTES_IN, 4);
    }

    @Test
    void shouldLogAndCountThatAnApplicationDiscardedUnreadData() {
        final long handle = connect();
        guest.send(Messages.data(handle, "never read"));
        final Endpoint application = opened.removeLast();
        application.await(Constants.EPOLLIN, "bytes to discard");
        application.close();
        final var close = guest.receive().getClose();
        assertEquals(handle, close.getHandle());
        assertEquals(Errno.ECONNRESET, close.getReason());
        awaitCounter(CounterId.RESETS_OUT, 1);
    }

    @Test
    void shouldCountAResetOfTheOtherSideAndCloseAfterWhatCameBefore() {
        final long handle = connect();
        guest.send(Messages.data(handle, "before"), Messages.close(handle).toBuilder()
            .setClose(Messages.close(handle).getClose().toBuilder().setReason(Errno.ECONNRESET)).build());
        assertEquals("before", opened.getLast().readText(6));
        opened.getLast().expectEnd();
        awaitCounter(CounterId.RESETS_IN, 1);
    }

    @Test
    void shouldShowThemAllToAPerson() throws IOException {
        assertEquals(0, stat(file()).exitCode());
        final String shown = stat(file()).output();
        for (final CounterId id : CounterId.values()) {
            assertTrue(shown.contains(id.label()), () -> id + " in " + shown);
        }
        assertTrue(shown.lines().anyMatch(line -> line.matches("sessions +1")), shown);
        assertEquals("process " + host.pid(), shown.lines().findFirst().orElseThrow());
        assertEquals(1, stat(directory.resolve("nothing")).exitCode());
        final Path other = Files.write(directory.resolve("other"), new byte[100]);
        assertEquals(1, stat(other).exitCode());
        assertThrows(IOException.class, () -> new CounterFileReader(other));
    }

    @Test
    void shouldReplaceTheFileOfAnEarlierProxyAndLeaveItsOwn() {
        // Otherwise the host would wait for it.
        guest.close();
        host.signal("TERM");
        assertEquals(0, host.awaitExit());
        assertEquals(1, value(CounterId.SESSIONS_BEGUN));
        assertEquals(
            "process " + host.pid() + ", which is no longer running",
            stat(file()).output().lines().findFirst().orElseThrow());
        try (ProxyProcess next = ProxyProcess.start(
            "host", "--listen", "unix:" + directory.resolve("link"), "--counters", file().toString()).awaitReady();
            CounterFileReader reader = new CounterFileReader(file())) {
            assertEquals(next.pid(), reader.pid());
            assertEquals(host.pid(), counters.pid());
        } catch (final IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void shouldNotTakeTheFileOfALivingProxy() {
        try (ProxyProcess next = ProxyProcess.start(
            "host", "--listen", "unix:" + directory.resolve("another"), "--counters", file().toString())) {
            assertEquals(1, next.awaitExit(), next::toString);
            assertEquals(
                List.of("vsock-proxy host: counters cannot be kept in " + file() + ": in use by process "
                    + host.pid()),
                next.errors());
        }
        connect();
        awaitCounter(CounterId.STREAM_SOCKET_DESCRIPTORS, 1);
    }

    @Test
    void shouldReplaceTheFileOfAKilledProxy() throws IOException {
        host.signal("KILL");
        host.awaitExit();
        try (ProxyProcess next = ProxyProcess.start(
            "host", "--listen", "unix:" + directory.resolve("link"), "--counters", file().toString()).awaitReady();
            CounterFileReader reader = new CounterFileReader(file())) {
            assertEquals(next.pid(), reader.pid());
        }
    }

    /** Even if its guest stays, with a connection to an application that reads nothing. */
    @Test
    void shouldShowNoLiveDescriptorsWhenTheProxyHasEnded() {
        guest.send(Messages.data(connect(), new byte[MUCH]));
        Await.until(() -> value(CounterId.QUEUED_BYTES) > 0, () -> "queued bytes: " + counters.values());
        final long framesIn = value(CounterId.FRAMES_IN);
        host.signal("TERM");
        assertEquals(0, host.awaitExit(), host::toString);
        assertEquals(0, ledger(), () -> counters.values().toString());
        assertEquals(0, value(CounterId.SESSIONS));
        assertEquals(0, value(CounterId.STREAM_HANDLES));
        assertEquals(0, value(CounterId.QUEUED_BYTES));
        assertEquals(framesIn, value(CounterId.FRAMES_IN));
        final String line = host.awaitErrorLine("stopped after draining for 1000 ms");
        assertTrue(line.matches("WARNING .* lost are [1-9]\\d* bytes for applications here, 0 for the link, .*"), line);
    }

    @Test
    void shouldServeOnAndEndWhenItsFileIsCut() throws IOException {
        Files.newByteChannel(file(), StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING).close();
        final long handle = connect();
        guest.send(Messages.data(handle, "as ever"));
        assertEquals("as ever", opened.getLast().readText(7));
        host.awaitErrorLine("counters are no longer updated in " + file());
        guest.close();
        host.signal("TERM");
        assertEquals(0, host.awaitExit(), host::toString);
    }

    private record Shown(int exitCode, String output) { }

    private static Shown stat(final Path path) {
        final StringWriter output = new StringWriter();
        final int exitCode = new CommandLine(new Main())
            .setOut(new PrintWriter(output)).setErr(new PrintWriter(new StringWriter()))
            .execute("stat", "--interval", "0", path.toString());
        return new Shown(exitCode, output.toString());
    }

    private Path file() {
        return directory.resolve("counters");
    }

    private long connect() {
        guest.send(Messages.connectRequest(-1, directory.resolve("target").toString()));
        final long handle = guest.receive().getConnectResponse().getHandle();
        opened.add(target.accept());
        return handle;
    }

    private long value(final CounterId id) {
        return counters.values().get(id.label()).value();
    }

    private long ledger() {
        long sum = 0;
        for (final CounterId id : CounterId.values()) {
            sum += id.isDescriptors() ? value(id) : 0;
        }
        return sum;
    }

    private void awaitCounter(final CounterId id, final long expected) {
        Await.until(() -> value(id) == expected,
            () -> id + ": expected=" + expected + ", actual=" + value(id) + " of " + counters.values() + ", " + host);
    }

    /** The ledger and the kernel agree that so many more descriptors are open than at first, without the watch's. */
    private void assertLedger(final int more) {
        Await.until(
            () -> {
                final long counted = ledger() - ledgerBefore;
                return counted - value(CounterId.WATCH_DESCRIPTORS) == more
                    && counted == host.descriptorCount() - descriptorsBefore;
            },
            () -> "descriptors more: expected=" + more + ", ledger=" + (ledger() - ledgerBefore) + ", kernel="
                + (host.descriptorCount() - descriptorsBefore) + ": " + host.descriptors() + counters.values());
    }
}
