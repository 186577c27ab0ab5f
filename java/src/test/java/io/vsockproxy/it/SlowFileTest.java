/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.Role;
import io.vsockproxy.fuse.SlowFileProcess;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.ChildJvm;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.MountedPair;
import io.vsockproxy.testing.Mounts;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.ProxyPair;
import io.vsockproxy.testing.ProxyProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Files on a device that answers only when the test lets it: requests to it wait, and nothing else does. Nothing here
 * is timed; the tests show what happens before the device answers.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SlowFileTest {
    private static final int LENGTH = 3 << 20;
    private static final long SEED = 11;
    private static final int ROUND_TRIPS = 300;
    private static final int READERS = 8;
    private static final byte[] CONTENT = Pattern.bytes(SEED, LENGTH);

    @RegisterExtension
    static final MountedPair PROXIES = new MountedPair();

    private final List<ChildJvm> devices = new ArrayList<>();
    private Path directory;

    @BeforeEach
    void makeDirectory() throws IOException {
        directory = Files.createTempDirectory("vp");
    }

    @AfterEach
    void endDevices() throws IOException {
        devices.forEach(ChildJvm::close);
        assertEquals(List.of(), Mounts.below(directory));
        MountedPair.delete(directory);
    }

    @Test
    void shouldCarryStreamsAndServeOtherFilesWhileADeviceSleeps() throws IOException {
        final ChildJvm device = startDevice();
        final Endpoint[] ends = PROXIES.connect(Role.GUEST);
        final byte[] other = Pattern.bytes(12, 1 << 20);
        final Endpoint otherFile = PROXIES.pass(ends[0], ends[1], PROXIES.closing(FileCalls.memfd(other)));
        final Endpoint slow = PROXIES.pass(ends[0], ends[1], open(device));
        assertArrayEquals(Arrays.copyOf(CONTENT, 1000), FileCalls.read(slow, 0, 1000));
        hold(device);

        final CompletableFuture<byte[]> read = Background.start(() -> FileCalls.read(slow, 77, 1 << 20));
        assertEquals("read", device.answer());
        // The device has the read, and answers it only when told to.
        for (int i = 0; i < ROUND_TRIPS; i++) {
            ends[0].send("there");
            assertEquals("there", ends[1].readText(5));
            ends[1].send("and back");
            assertEquals("and back", ends[0].readText(8));
            assertArrayEquals(Arrays.copyOfRange(other, i, i + 5000), FileCalls.read(otherFile, i, 5000));
        }
        assertEquals(other.length, FileCalls.size(otherFile));
        assertEquals(3, FileCalls.write(otherFile, 0, new byte[3]));
        // A new connection and a new file work too.
        final Endpoint late = PROXIES.pass(Role.HOST, PROXIES.file(new byte[] {1, 2}, Constants.O_RDONLY));
        assertArrayEquals(new byte[] {1, 2}, late.readFully(2));
        assertFalse(read.isDone());

        release(device);
        assertArrayEquals(Arrays.copyOfRange(CONTENT, 77, 77 + (1 << 20)), Background.join(read));
    }

    @Test
    void shouldCarryStreamsWhateverADeviceIsAskedFor() throws IOException {
        final Endpoint[] ends = PROXIES.connect(Role.GUEST);
        final ChildJvm device = startDevice();
        final Endpoint slow = PROXIES.pass(ends[0], ends[1], open(device));
        final byte[] piece = Pattern.bytes(13, 100_000);
        assertWaits(device, ends, "write", () -> FileCalls.write(slow, 50, piece), piece.length);
        assertArrayEquals(piece, FileCalls.read(slow, 50, piece.length));
        assertWaits(device, ends, "fstat", () -> FileCalls.size(slow), LENGTH);
        assertWaits(device, ends, "ftruncate", () -> FileCalls.truncate(slow, 100), 0);
        assertEquals(100, FileCalls.size(slow));
        assertWaits(device, ends, "fsync", () -> FileCalls.sync(slow), 0);
        assertWaits(device, ends, "fdatasync", () -> FileCalls.syncData(slow), 0);
    }

    @Test
    void shouldCarryStreamsWhileAFileIsPassedThatAReadIsWaitingOn() throws IOException {
        final Endpoint[] ends = PROXIES.connect(Role.GUEST);
        final Endpoint[] others = PROXIES.connect(Role.GUEST);
        final ChildJvm device = startDevice();
        final Endpoint slow = open(device);
        hold(device);
        final CompletableFuture<Integer> read =
            Background.start(() -> FileCalls.read(slow, FileCalls.CURRENT_POSITION, new byte[10]));
        assertEquals("read", device.answer());
        // Asking the kernel for the position now would wait for that read.
        ends[0].send("f", slow);
        for (int i = 0; i < ROUND_TRIPS; i++) {
            others[0].send("there");
            assertEquals("there", others[1].readText(5));
        }
        assertFalse(read.isDone());
        release(device);
        assertEquals(10, (int) Background.join(read));
        final Endpoint passed = PROXIES.closing(ends[1].receive().only());
        assertArrayEquals(Arrays.copyOf(CONTENT, 10), passed.readFully(10));
    }

    @ParameterizedTest
    @CsvSource({"true, fsync", "false, fdatasync"})
    void shouldMakeWritesDurableForWhoOpensItAgainToThatEnd(final boolean all, final String name) throws IOException {
        final Endpoint[] ends = PROXIES.connect(Role.GUEST);
        final ChildJvm device = startDevice();
        final Endpoint slow = PROXIES.pass(ends[0], ends[1], open(device));
        final int flags = Constants.O_WRONLY | (all ? Constants.O_SYNC : Constants.O_DSYNC);
        final Endpoint durable = PROXIES.closing(Endpoint.of(FileCalls.reopen(slow, flags), "open"));
        hold(device);
        assertWritesDurably(device, durable, name);
    }

    @ParameterizedTest
    @CsvSource({"true, fsync", "false, fdatasync"})
    void shouldMakeWritesDurableWhenWhoPassesItOnHasOpenedItToThatEnd(final boolean all, final String name)
        throws IOException {
        final Endpoint[] ends = PROXIES.connect(Role.GUEST);
        final ChildJvm device = startDevice();
        final Endpoint there = PROXIES.pass(ends[0], ends[1], open(device));
        final int flags = Constants.O_WRONLY | (all ? Constants.O_SYNC : Constants.O_DSYNC);
        final Endpoint durable = PROXIES.closing(Endpoint.of(FileCalls.reopen(there, flags), "open"));
        final Endpoint back = PROXIES.pass(ends[1], ends[0], durable);
        hold(device);
        assertWritesDurably(device, back, name);
    }

    @Test
    void shouldSynchroniseAFileThatCameBack() throws IOException {
        final Endpoint[] ends = PROXIES.connect(Role.GUEST);
        final ChildJvm device = startDevice();
        final Endpoint there = PROXIES.pass(ends[0], ends[1], open(device));
        final Endpoint back = PROXIES.pass(ends[1], ends[0], there);
        assertEquals(10, FileCalls.write(back, 0, new byte[10]));
        assertWaits(device, ends, "fsync", () -> FileCalls.sync(back), 0);
        assertWaits(device, ends, "fdatasync", () -> FileCalls.syncData(back), 0);
    }

    @Test
    void shouldServeADiskFileWhileAsManyDevicesSleepAsThereAreWorkers() throws IOException {
        final Endpoint[] ends = PROXIES.connect(Role.GUEST);
        final Endpoint disk = PROXIES.pass(ends[0], ends[1], PROXIES.file(CONTENT, Constants.O_RDONLY));
        // From here on its file system is known, and its pages are in memory.
        assertArrayEquals(CONTENT, readAll(disk));
        final List<ChildJvm> sleeping = new ArrayList<>();
        final List<CompletableFuture<byte[]>> reads = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            final ChildJvm device = startDevice();
            final Endpoint slow = PROXIES.pass(ends[0], ends[1], open(device));
            hold(device);
            sleeping.add(device);
            reads.add(Background.start(() -> FileCalls.read(slow, 0, 5000)));
            assertEquals("read", device.answer());
        }
        assertArrayEquals(CONTENT, readAll(disk));
        ends[1].send("awake");
        assertEquals("awake", ends[0].readText(5));
        for (int i = 0; i < sleeping.size(); i++) {
            assertFalse(reads.get(i).isDone());
            release(sleeping.get(i));
            assertArrayEquals(Arrays.copyOf(CONTENT, 5000), Background.join(reads.get(i)));
        }
    }

    @Test
    void shouldPassTheErrorOnWhenTheDeviceIsGone() throws IOException {
        final ChildJvm device = startDevice();
        final Endpoint[] ends = PROXIES.connect(Role.GUEST);
        final Endpoint slow = PROXIES.pass(ends[0], ends[1], open(device));
        hold(device);
        final CompletableFuture<Integer> read = Background.start(() -> FileCalls.read(slow, 0, new byte[10]));
        assertEquals("read", device.answer());
        device.kill();
        devices.remove(device);
        assertEquals(-Errno.ECONNABORTED, Background.join(read));
        assertEquals(-Errno.ENOTCONN, FileCalls.read(slow, 0, new byte[10]));
        assertEquals(-Errno.ENOTCONN, FileCalls.size(slow));
        assertEquals(-Errno.ENOTCONN, FileCalls.sync(slow));
        ends[0].send("alive");
        assertEquals("alive", ends[1].readText(5));
        Mounts.detach(directory.resolve("device-0"));
    }

    @Test
    void shouldFailReadsInFlightAtOnceWhenTheOwnersProxyIsKilled() throws IOException {
        final ChildJvm device = startDevice();
        try (Endpoint hostServer = Endpoint.listen(ProxyPair.hostTarget(directory));
            ProxyProcess host = ProxyProcess.start(MountedPair.hostArguments(directory)).awaitReady();
            ProxyProcess guest = ProxyProcess.start(MountedPair.guestArguments(directory)).awaitReady();
            Endpoint application = Endpoint.connect(ProxyPair.guestForward(directory));
            Endpoint server = hostServer.accept();
            Endpoint original = open(device)) {
            application.send("f", original);
            try (Endpoint slow = server.receive().only()) {
                assertArrayEquals(Arrays.copyOf(CONTENT, 10), FileCalls.read(slow, 0, 10));
                hold(device);
                final List<CompletableFuture<Integer>> requests = new ArrayList<>();
                for (int i = 0; i < READERS; i++) {
                    final long offset = i * 100_000L;
                    requests.add(Background.start(() -> FileCalls.read(slow, offset, new byte[100_000])));
                }
                requests.add(Background.start(() -> FileCalls.write(slow, 0, new byte[5000])));
                requests.add(Background.start(() -> (int) FileCalls.size(slow)));
                requests.add(Background.start(() -> FileCalls.sync(slow)));
                assertEquals("read", device.answer());
                assertEquals(0, requests.stream().filter(CompletableFuture::isDone).count());

                guest.signal("KILL");
                for (final CompletableFuture<Integer> request : requests) {
                    assertEquals(-Errno.EIO, Background.join(request));
                }
                server.expectEnd();
                assertEquals(-Errno.EIO, FileCalls.read(slow, 0, new byte[10]));
                assertEquals(-Errno.EIO, FileCalls.write(slow, 0, new byte[10]));
                assertEquals(-Errno.EIO, FileCalls.size(slow));
                assertEquals(-Errno.EIO, FileCalls.sync(slow));
                assertTrue(host.isAlive());
            }
            release(device);
            guest.awaitExit();
            Mounts.detach(MountedPair.mount(directory, Role.GUEST));
            host.signal("TERM");
            assertEquals(0, host.awaitExit(), host::toString);
        }
    }

    private ChildJvm startDevice() throws IOException {
        final Path mount = directory.resolve("device-" + devices.size());
        final ChildJvm device = ChildJvm.start(
            SlowFileProcess.class, mount.toString(), Integer.toString(LENGTH), Long.toString(SEED));
        devices.add(device);
        return device;
    }

    /** The device's file, opened for this process. */
    private Endpoint open(final ChildJvm device) {
        final Path descriptor = Path.of("/proc/" + device.pid() + "/fd/" + device.answer());
        return PROXIES.closing(Endpoint.open(descriptor, Constants.O_RDWR));
    }

    private static void hold(final ChildJvm device) {
        device.tell("hold");
        assertEquals("done", device.answer());
    }

    private static void release(final ChildJvm device) {
        device.tell("release");
        String answer = device.answer();
        while (!"done".equals(answer)) {
            // A request that had not been announced yet.
            answer = device.answer();
        }
    }

    private interface Call {
        long perform();
    }

    private static void assertWaits(
        final ChildJvm device, final Endpoint[] ends, final String name, final Call call, final long expected) {
        hold(device);
        final CompletableFuture<Long> result = Background.start(call::perform);
        assertEquals(name, device.answer());
        for (int i = 0; i < 20; i++) {
            ends[1].send("round trip");
            assertEquals("round trip", ends[0].readText(10));
        }
        assertFalse(result.isDone(), name);
        release(device);
        assertEquals(expected, Background.join(result), name);
    }

    /** The device holds its requests. */
    private static void assertWritesDurably(final ChildJvm device, final Endpoint file, final String name) {
        final CompletableFuture<Integer> write =
            Background.start(() -> FileCalls.write(file, 0, new byte[1000]));
        assertEquals("write", device.answer());
        device.tell("next");
        // The announcement of the request and the confirmation of its release, in either order.
        final Set<String> answers = new HashSet<>();
        answers.add(device.answer());
        answers.add(device.answer());
        assertEquals(Set.of("done", name), answers);
        assertFalse(write.isDone());
        release(device);
        assertEquals(1000, (int) Background.join(write));
    }

    private static byte[] readAll(final Endpoint file) {
        final byte[] all = new byte[LENGTH];
        for (int done = 0; done < LENGTH; done += 1 << 20) {
            System.arraycopy(FileCalls.read(file, done, 1 << 20), 0, all, done, 1 << 20);
        }
        return all;
    }
}
