/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.vsockproxy.LinkAddress;
import io.vsockproxy.Role;
import io.vsockproxy.VsockProxy;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.MountedPair;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * What two engines and their components, all run by this thread, allocate for each round trip.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class ChannelAllocationTest {
    private static final int WARM_UP = 8_000;
    private static final int ROUNDS = 10_000;
    private static final int ATTEMPTS = 4;
    private static final int CAPACITY = 4096;
    private static final int LENGTH = 64;
    private static final int MAX_TURNS = 20_000_000;
    /** Less than the smallest object, so there is none for each round trip. */
    private static final double ALLOWED_BYTES_PER_ROUND = 8;

    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private final UnsafeBuffer message = new UnsafeBuffer(new byte[LENGTH]);
    private final ChannelClaim claim = new ChannelClaim();

    private Path directory;
    private VsockProxy host;
    private VsockProxy guest;
    private final Counter answering = new Counter(true);
    private final Counter asking = new Counter(false);
    private final Counter echoing = new Counter(true);
    private RemoteFile file;
    private long expected;
    private long completed;

    @BeforeEach
    void connect() throws IOException {
        directory = Files.createTempDirectory("vp");
        final LinkAddress address = LinkAddress.unix(directory.resolve("link").toString());
        host = VsockProxy.embed(new VsockProxy.Context()
            .role(Role.HOST).address(address).accept("echo", (peer, name) -> answering));
        guest = VsockProxy.embed(new VsockProxy.Context().role(Role.GUEST).address(address));
        host.agent().onStart();
        guest.agent().onStart();
        Await.until(() -> turn() >= 0 && guest.ready().isDone(), () -> "a session");
        guest.connect("echo", asking);
        Await.until(() -> turn() >= 0 && asking.channel != null && answering.channel != null, () -> "a channel");
    }

    @AfterEach
    void close() throws IOException {
        guest.close();
        host.close();
        MountedPair.delete(directory);
    }

    @Test
    void shouldNotAllocatePerMessageThatIsOffered() {
        check(() -> {
            assertEquals(LENGTH, asking.channel.offer(message, 0, LENGTH));
            awaitAnswer();
        });
    }

    @Test
    void shouldNotAllocatePerMessageThatIsClaimed() {
        check(() -> {
            assertEquals(LENGTH, asking.channel.tryClaim(LENGTH, claim));
            claim.buffer().setMemory(0, LENGTH, (byte) 1);
            claim.commit();
            awaitAnswer();
        });
    }

    @Test
    void shouldNotAllocatePerMessageOfAnotherThread() {
        final ChannelSender sender = asking.channel.sender(CAPACITY);
        check(() -> {
            assertEquals(LENGTH, sender.offer(message, 0, LENGTH));
            awaitAnswer();
            assertEquals(LENGTH, sender.tryClaim(LENGTH, claim));
            claim.commit();
            awaitAnswer();
        });
    }

    @Test
    void shouldNotAllocatePerRequestForAFile() throws IOException {
        final Path path = Files.write(directory.resolve("file"), new byte[LENGTH]);
        assertEquals(1, answering.channel.offer(message, 0, 1, OwnedFd.open(path)));
        Await.until(() -> turn() >= 0 && file != null, () -> "a file");
        final RemoteFile.Completion completion = (from, correlationId, result) -> {
            assertEquals(LENGTH, result);
            completed++;
        };
        check(() -> {
            assertTrue(file.pread(0, message, 0, LENGTH, 1, completion));
            assertTrue(file.fstat(2, completion));
            final long wanted = completed + 2;
            for (int turns = 0; completed < wanted; turns++) {
                assertTrue(turns < MAX_TURNS, "no answer comes any more");
                turn();
            }
        });
        file.close();
    }

    @Test
    void shouldNotAllocatePerMessageOnASocketThatWasPassed() {
        final Endpoint[] sockets = Endpoint.socketPair(Constants.SOCK_STREAM);
        assertEquals(1, answering.channel.offer(message, 0, 1, OwnedFd.of(sockets[0].fd()).duplicate()));
        sockets[0].close();
        Await.until(() -> turn() >= 0 && echoing.channel != null, () -> "a channel");
        try (Memory memory = Memory.allocate(LENGTH)) {
            final long address = memory.address();
            check(() -> {
                assertEquals(LENGTH, Syscalls.send(sockets[1].fd(), address, LENGTH, Constants.MSG_DONTWAIT));
                int back = -Errno.EAGAIN;
                for (int turns = 0; back == -Errno.EAGAIN; turns++) {
                    assertTrue(turns < MAX_TURNS, "nothing comes any more");
                    turn();
                    back = Syscalls.recv(sockets[1].fd(), address, LENGTH, Constants.MSG_DONTWAIT);
                }
                assertEquals(LENGTH, back);
            });
        }
        sockets[1].close();
    }

    private void check(final Runnable round) {
        for (int i = 0; i < WARM_UP; i++) {
            round.run();
        }
        // What the JVM allocates once, in any attempt, is not per round.
        double perRound = Double.MAX_VALUE;
        for (int attempt = 0; attempt < ATTEMPTS && perRound >= ALLOWED_BYTES_PER_ROUND; attempt++) {
            final long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < ROUNDS; i++) {
                round.run();
            }
            perRound = (double) (threads.getCurrentThreadAllocatedBytes() - before) / ROUNDS;
        }
        assertTrue(perRound < ALLOWED_BYTES_PER_ROUND, "bytes per round: " + perRound);
    }

    private int turn() {
        return host.agent().doWork() + guest.agent().doWork();
    }

    private void awaitAnswer() {
        expected += LENGTH;
        for (int turns = 0; asking.received < expected; turns++) {
            assertTrue(turns < MAX_TURNS, "nothing comes any more");
            turn();
        }
    }

    /** Counts, and gives everything back if it is to. */
    private final class Counter implements ChannelHandler {
        private final boolean answers;
        private Channel channel;
        private long received;

        Counter(final boolean answers) {
            this.answers = answers;
        }

        @Override
        public boolean socketsAsChannels() {
            return true;
        }

        @Override
        public void onConnected(final Channel newChannel) {
            channel = newChannel;
        }

        @Override
        public int onData(
            final Channel from,
            final DirectBuffer buffer,
            final int offset,
            final int length,
            final PassedDescriptors descriptors) {
            if (descriptors.count() > 0) {
                if (descriptors.kind(0) == DescriptorClass.STREAM_SOCKET) {
                    descriptors.takeChannel(0, echoing);
                } else {
                    file = descriptors.takeFile(0);
                }
                return length;
            }
            received += length;
            return answers ? Math.max(0, from.offer(buffer, offset, length)) : length;
        }
    }
}
