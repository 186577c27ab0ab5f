/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.LinkAddress;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.ProxyProcess;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.TestLink;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * How a host process's memory develops while guests announce more than they send.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class HostMemoryTest {
    private static final int MAX_FRAME_LENGTH = 16 << 20;
    private static final int GUESTS = 20;
    /** A guest's own state, and what the JVM compiles meanwhile. */
    private static final long ALLOWED_KIB_PER_GUEST = 1024;

    private static final int SESSIONS = 500;
    private static final int ROUNDS = 5;

    @TempDir
    Path directory;

    @Test
    void shouldTakeNoMemoryForWhatIsOnlyClaimed() {
        final LinkAddress link = TestLink.in(directory);
        try (ProxyProcess host = ProxyProcess.start("host", "--listen", link.toString()).awaitReady()) {
            claim(link, 0, GUESTS).forEach(RawPeer::close);
            final int descriptors = Await.stable(host::descriptorCount);
            final long before = host.residentKib();
            // A command that must be received as a whole, and a Data whose blob would be passed on in parts.
            final List<RawPeer> guests = claim(link, MAX_FRAME_LENGTH, GUESTS);
            final long growth = host.residentKib() - before;
            assertTrue(growth < GUESTS * ALLOWED_KIB_PER_GUEST, "grown by " + growth + " KiB");
            guests.forEach(RawPeer::close);
            host.awaitDescriptorCount(descriptors);
            claim(link, 0, 1).forEach(RawPeer::close);
        }
    }

    @Test
    void shouldGiveTheMemoryOfLargeFramesBack() {
        final LinkAddress link = TestLink.in(directory);
        try (ProxyProcess host = ProxyProcess.start("host", "--listen", link.toString()).awaitReady()) {
            final RawPeer guest = RawPeer.guestOf(link);
            final String path = "x".repeat(MAX_FRAME_LENGTH - 100);
            guest.send(Messages.connectRequest(-1, "/small"));
            guest.receive();
            final long before = host.residentKib();
            for (int i = 0; i < 3; i++) {
                guest.send(Messages.connectRequest(-2, path));
                assertEquals(Errno.ENAMETOOLONG, guest.receive().getConnectResponse().getErrorCode());
            }
            final long growth = host.residentKib() - before;
            // The window of 2 MiB stays.
            assertTrue(growth < MAX_FRAME_LENGTH / 1024 / 2, "grown by " + growth + " KiB");
            guest.close();
        }
    }

    /** Of several rounds: in one of them the JVM may take something for itself. */
    @Test
    void shouldKeepNothingOfSessionsThatHaveEnded() {
        final LinkAddress link = TestLink.in(directory);
        final Path target = directory.resolve("target");
        try (Endpoint listening = Endpoint.listen(target);
            ProxyProcess host = ProxyProcess.start(
                "host", "--listen", link.toString(), "--allow-connect", target.toString()).awaitReady()) {
            final int descriptors = Await.stable(host::descriptorCount);
            long leastGrowth = Long.MAX_VALUE;
            long before = 0;
            for (int round = 0; round < ROUNDS; round++) {
                for (int i = 0; i < SESSIONS; i++) {
                    passADescriptor(link, target, listening);
                }
                host.awaitDescriptorCount(descriptors);
                final long now = host.virtualKib();
                leastGrowth = round == 0 ? leastGrowth : Math.min(leastGrowth, now - before);
                before = now;
            }
            assertTrue(leastGrowth < SESSIONS, "grown by " + leastGrowth + " KiB with each " + SESSIONS + " sessions");
            // Each begins and ends; on a slow machine more than a minute may go by.
            assertTrue(host.errors().size() < ROUNDS * SESSIONS, "lines in the log: " + host.errors().size());
        }
    }

    private static void passADescriptor(final LinkAddress link, final Path target, final Endpoint listening) {
        try (RawPeer guest = RawPeer.guestOf(link)) {
            guest.send(Messages.connectRequest(-1, target.toString()));
            final long handle = guest.receive().getConnectResponse().getHandle();
            guest.send(Messages.data(
                handle, "a pipe", Messages.descriptor(FileDescriptor.Type.FIFO_READ, -2)));
            try (Endpoint application = listening.accept(); Endpoint passed = application.receive().only()) {
                guest.send(Messages.close(-2));
                assertEquals(0, passed.readToEnd().length);
            }
        }
    }

    /** Guests that announce a frame of {@code length} bytes and send the first few; 0 to announce none. */
    private static List<RawPeer> claim(final LinkAddress link, final long length, final int count) {
        final List<RawPeer> guests = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            final RawPeer guest = RawPeer.guestOf(link);
            guest.send(Messages.fstatRequest(-1, 1));
            assertEquals(Errno.EBADF, guest.receive().getFstatResponse().getErrorCode());
            if (length > 0) {
                guest.send(ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN).putLong(length)
                    .put((byte) (i % 2 == 0 ? 0x1a : 0x12)).put((byte) 0xfb).put((byte) 0xff).put((byte) 0xff)
                    .array());
                guest.link().awaitTaken();
            }
            guests.add(guest);
        }
        return guests;
    }
}
