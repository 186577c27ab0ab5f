/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.vsockproxy.Role;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.RunningPair;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Pipes in packet mode (O_DIRECT), where a read that is shorter than a packet loses the rest: every byte is carried,
 * though not the boundaries.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class PacketPipeTest {
    /** No divisor of a window, so that what is left of one is less than a packet. */
    private static final int PACKET_LENGTH = 1000;
    /** More than two windows, and what the pipes hold. */
    private static final byte[] MUCH = Pattern.bytes(13, 1000 * PACKET_LENGTH);
    private static final int SMALL_READ = 4;
    private static final int SMALL_WRITES = 100;

    @RegisterExtension
    static final RunningPair PAIR = RunningPair.processes();

    @ParameterizedTest
    @EnumSource
    void shouldLoseNothingWhenTheReaderIsSlow(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        final Endpoint[] pipe = PAIR.closing(Endpoint.packetPipe());
        final Endpoint received = pass(ends, pipe[0]);
        final AtomicInteger written = new AtomicInteger();
        final CompletableFuture<Void> writing = Background.start(() -> {
            while (written.get() < MUCH.length) {
                pipe[1].write(Arrays.copyOfRange(MUCH, written.get(), written.get() + PACKET_LENGTH));
                written.addAndGet(PACKET_LENGTH);
            }
            pipe[1].close();
            return null;
        });
        // The credit is used up.
        Await.stable(written::get);
        assertArrayEquals(MUCH, received.readToEnd());
        Background.join(writing);
    }

    @ParameterizedTest
    @EnumSource
    void shouldLoseNothingWhenReadsAreAsLongAsTheWrites(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        final Endpoint[] pipe = PAIR.closing(Endpoint.packetPipe());
        final Endpoint received = pass(ends, pipe[1]);
        final byte[] all = Arrays.copyOf(MUCH, SMALL_WRITES * SMALL_READ);
        for (int i = 0; i < all.length; i += SMALL_READ) {
            received.write(Arrays.copyOfRange(all, i, i + SMALL_READ));
        }
        received.close();
        final byte[] read = new byte[all.length];
        for (int done = 0; done < read.length; done += SMALL_READ) {
            System.arraycopy(pipe[0].readFully(SMALL_READ), 0, read, done, SMALL_READ);
        }
        pipe[0].expectEnd();
        assertArrayEquals(all, read);
    }

    private static Endpoint pass(final Endpoint[] ends, final Endpoint passed) {
        ends[0].send("d", passed);
        passed.close();
        return PAIR.closing(ends[1].receive(1).only());
    }
}
