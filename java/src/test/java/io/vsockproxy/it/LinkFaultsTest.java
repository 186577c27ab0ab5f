/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Errno;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.ProxyProcess;
import io.vsockproxy.testing.RawPeer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Guests whose link fails with errors that only AF_VSOCK has. A preloaded library, native/test/faults.c, makes the
 * guest's system calls fail.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class LinkFaultsTest {
    private static final String REMOTE_PATH = "/on/the/host";
    private static final int ATTEMPTS = 8;
    /** 20 ms, doubled six times but for the last, which is a second: 2.26 s. */
    private static final long SUM_OF_DELAYS_MS = 20 + 40 + 80 + 160 + 320 + 640 + 1000;

    @TempDir
    Path directory;

    /** All at the same time, because each spends most of it in those delays. */
    @Test
    void shouldEndTheirStreamsAndReconnectAfterGrowingDelays() {
        Background.joinAll(IntStream.of(Errno.ETIMEDOUT, Errno.ECONNRESET, Errno.ENODEV)
            .mapToObj(errno -> Background.start(() -> {
                endsStreamsAndConnectsAgain(errno, Files.createDirectory(directory.resolve(Errno.name(errno))));
                return null;
            })).toList());
    }

    private static void endsStreamsAndConnectsAgain(final int errno, final Path directory) throws IOException {
        final String name = Errno.name(errno);
        try (Endpoint listening = Endpoint.listen(directory.resolve("link"));
            ProxyProcess guest = startGuest(directory);
            RawPeer host = RawPeer.hostOf(listening);
            Endpoint application = connectTo(directory, guest.awaitReady())) {
            exchange(host, application);
            fail(directory.resolve("connect"), errno);
            fail(directory.resolve("receive"), errno);
            host.send(Messages.data(1, "more"));
            application.expectEnd();
            guest.awaitErrorLine("session ended: the connection failed: " + name);
            // The first attempt was the one that succeeded.
            Await.until(() -> attempts(directory).size() > ATTEMPTS, () -> "attempts of " + guest);
            guest.awaitErrorLine(name + "; retrying");
            Files.delete(directory.resolve("connect"));
            try (RawPeer again = RawPeer.hostOf(listening);
                Endpoint another = connectTo(directory, guest)) {
                exchange(again, another);
            }
            final List<Long> attempts = attempts(directory);
            final long tookMs = attempts.get(ATTEMPTS) - attempts.get(1);
            // Half of the interval, because on a busy machine an attempt may be recorded some time after it began.
            assertTrue(tookMs >= SUM_OF_DELAYS_MS / 2, () -> ATTEMPTS + " attempts in " + tookMs + " ms");
            // 60 ms and 1640 ms. Equal delays of the same sum would make both the same.
            final long firstTwoMs = attempts.get(3) - attempts.get(1);
            final long lastTwoMs = attempts.get(ATTEMPTS) - attempts.get(ATTEMPTS - 2);
            assertTrue(lastTwoMs > 2 * firstTwoMs, () -> "attempts at " + attempts + " ms");
        }
    }

    private static ProxyProcess startGuest(final Path directory) {
        final Path library =
            Path.of(System.getProperty("vsockproxy.native.path")).resolveSibling("native/test/libfaults.so");
        assertTrue(Files.exists(library), library::toString);
        return ProxyProcess.start(
            List.of("env", "LD_PRELOAD=" + library, "VSOCKPROXY_FAULTS=" + directory),
            "guest", "--connect", "unix:" + directory.resolve("link"),
            "--forward", directory.resolve("forward") + "=" + REMOTE_PATH);
    }

    private static Endpoint connectTo(final Path directory, final ProxyProcess guest) {
        assertTrue(guest.isAlive(), guest::toString);
        return Endpoint.connect(directory.resolve("forward"));
    }

    private static void exchange(final RawPeer host, final Endpoint application) {
        application.send("request");
        host.send(Messages.connectResponse(host.receive().getConnectRequest().getCookie(), 0, 1));
        assertEquals("request", host.receive().getData().getBlob().toStringUtf8());
        host.send(Messages.data(1, "r"));
        assertEquals("r", application.readText(1));
    }

    /** Has the call fail that a file stands for, which is there whole at once. */
    private static void fail(final Path call, final int errno) throws IOException {
        Files.move(Files.writeString(call.resolveSibling(call.getFileName() + ".new"), Integer.toString(errno)),
            call, StandardCopyOption.ATOMIC_MOVE);
    }

    /** When the guest has tried to connect, in milliseconds of the monotonic clock. */
    private static List<Long> attempts(final Path directory) {
        try {
            return Files.readAllLines(directory.resolve("attempts")).stream().map(Long::valueOf).toList();
        } catch (final NoSuchFileException e) {
            return List.of();
        } catch (final IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
