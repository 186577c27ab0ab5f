/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static io.vsockproxy.proto.FileDescriptor.Type.TRANSPORTABLE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.vsockproxy.EngineAgent;
import io.vsockproxy.VsockProxy;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.LogCapture;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.ProxyPair;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.TestLink;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A host whose loop the test runs turn by turn: the test decides what happens in each turn, and can count turns where
 * times would say little.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class TurnedLoopTest {
    private static final int LARGE = 8 << 20;
    /** More than a socket takes. */
    private static final int MUCH = 2 << 20;
    /** With an inbound buffer of 2 MiB, or a pipe of one, and a socket of 0.2; a header's length would be 500,000. */
    private static final int FEW_TURNS = 2_000;
    private static final int MANY_TURNS = 1_000_000;
    private static final long TIMEOUT_NS = TimeUnit.SECONDS.toNanos(30);

    @TempDir
    Path directory;
    private int descriptorsBefore;
    private LogCapture log;
    private Endpoint target;
    private VsockProxy host;
    private EngineAgent agent;
    private RawPeer guest;
    /** Without those that had nothing to do: how many of them there are depends on how busy the machine is. */
    private int turns;

    @BeforeEach
    void start() {
        FileCalls.load();
        descriptorsBefore = Await.stable(Descriptors::count);
        log = new LogCapture();
        target = Endpoint.listen(ProxyPair.hostTarget(directory));
        host = VsockProxy.embed(ProxyPair.hostContext(directory).descriptorSocket(socket().toString()));
        agent = host.agent();
        agent.onStart();
        guest = RawPeer.guestOf(TestLink.in(directory));
    }

    @AfterEach
    void stop() throws InterruptedException {
        guest.close();
        agent.onClose();
        host.close();
        target.close();
        assertEquals(List.of(), log.linesWith("fault"));
        log.close();
        Descriptors.assertCount(descriptorsBefore);
    }

    @Test
    void shouldDiscardTheRestOfALargeBlobInLargePiecesWhenItsReaderHasGone() {
        final long handle = connect();
        final Endpoint reader = target.accept();
        final long otherHandle = connect();
        final Endpoint other = target.accept();
        final byte[] frame = RawPeer.frame(Messages.data(handle, new byte[LARGE]));
        final int beginning = 100_000;
        guest.send(Arrays.copyOf(frame, beginning));
        turnUntil(reader::isReadable);
        reader.readFully(beginning / 2);
        reader.close();
        assertEquals(handle, receive().getClose().getHandle());
        final CompletableFuture<Void> sending = Background.start(() -> {
            guest.send(Arrays.copyOfRange(frame, beginning, frame.length));
            guest.send(Messages.data(otherHandle, "next"));
            return null;
        });
        turns = 0;
        turnUntil(other::isReadable);
        Background.join(sending);
        assertEquals("next", other.readText(4));
        assertTrue(turns < FEW_TURNS, "turns=" + turns);
        other.close();
    }

    @Test
    void shouldNotSpinWhenAFullReaderHasBeenShutDownAsItsStreamEnds() {
        final long handle = connect();
        final Endpoint reader = target.accept();
        final CompletableFuture<Void> sending = Background.start(() -> {
            guest.send(Messages.data(handle, new byte[MUCH]));
            guest.link().awaitTaken();
            return null;
        });
        turnUntil(sending::isDone);
        guest.send(Messages.close(handle));
        reader.shutdownRead();
        turnUntil(() -> agent.doWork(TimeUnit.MILLISECONDS.toNanos(10)) == 0);
        reader.close();
    }

    @Test
    void shouldEndOnlyWhatWaitsForDescriptorsWhenTheirConnectionEndsAsOneIsSent() {
        final Endpoint beside = Endpoint.connect(socket());
        final long[] handles = new long[3];
        final Endpoint[] applications = new Endpoint[3];
        for (int i = 0; i < 3; i++) {
            handles[i] = connect();
            applications[i] = target.accept();
        }
        guest.send(Messages.data(handles[1], "waits", Messages.descriptor(TRANSPORTABLE, -10)));
        guest.send(Messages.data(handles[2], "behind it"));
        turnUntil(applications[2]::isReadable);
        assertEquals("behind it", applications[2].readText(9));
        // Both in the same turn: the host sends before it learns that the other end is closed.
        final Endpoint event = Endpoint.eventfd(1);
        applications[0].send("hello", event, event);
        beside.close();
        final VSockMessage data = receive();
        assertEquals(handles[0], data.getData().getHandle(), data::toString);
        assertEquals(2, data.getData().getTransferredFdCount());
        assertEquals(-10, receive().getClose().getHandle(), "the descriptor that will not come");
        assertEquals(handles[1], receive().getClose().getHandle(), "the stream that waits for it");
        applications[2].send("other");
        assertEquals("other", receive().getData().getBlob().toStringUtf8());
        event.close();
        Endpoint.closeAll(applications);
    }

    private long connect() {
        guest.send(Messages.connectRequest(-1, ProxyPair.hostTarget(directory).toString()));
        final VSockMessage message = receive();
        assertTrue(message.hasConnectResponse(), message::toString);
        return message.getConnectResponse().getHandle();
    }

    private VSockMessage receive() {
        final CompletableFuture<VSockMessage> receiving = Background.start(guest::receive);
        turnUntil(receiving::isDone);
        return Background.join(receiving);
    }

    private void turnUntil(final BooleanSupplier condition) {
        final int first = turns;
        final long startNs = System.nanoTime();
        while (!condition.getAsBoolean()) {
            turns += agent.doWork(TimeUnit.MILLISECONDS.toNanos(1)) > 0 ? 1 : 0;
            if (turns - first > MANY_TURNS || System.nanoTime() - startNs > TIMEOUT_NS) {
                fail("turns=" + turns);
            }
        }
    }

    private Path socket() {
        return directory.resolve("descriptors");
    }
}
