/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.Role;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.RunningPair;
import io.vsockproxy.testing.RunsOverVsock;
import io.vsockproxy.testing.Seeds;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Large writes, which the proxies splice, among writes that have to be read because they have descriptors.
 */
@RunsOverVsock
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class SplicedStreamsTest {
    private static final int TOTAL = 48 << 20;
    private static final int MAX_WRITE = 256 << 10;
    private static final int STREAMS = 4;

    @RegisterExtension
    static final RunningPair PAIR = RunningPair.processes();

    @ParameterizedTest
    @EnumSource
    void shouldLoseNeitherADescriptorNorAByteOfWhatIsWrittenInBulk(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        final Random random = Seeds.random("shouldLoseNeitherADescriptorNorAByteOfWhatIsWrittenInBulk");
        final byte[] bytes = Pattern.bytes(5, TOTAL);
        final CompletableFuture<Integer> passed = Background.start(() -> write(ends[0], bytes, random));
        final List<Endpoint> came = new ArrayList<>();
        final byte[] read = new byte[TOTAL];
        final byte[] piece = new byte[1 << 20];
        for (int at = 0; at < TOTAL;) {
            final int count = ends[1].tryReceive(piece, came);
            if (count < 0) {
                ends[1].await(Constants.EPOLLIN, "bytes");
                continue;
            }
            assertTrue(count > 0, "the end after " + at + " bytes");
            System.arraycopy(piece, 0, read, at, count);
            at += count;
        }
        assertArrayEquals(bytes, read);
        assertEquals(Background.join(passed), came.size());
        assertTrue(came.size() > 10, () -> "descriptors: " + came.size());
        for (final Endpoint descriptor : came) {
            assertEquals("here", descriptor.readText(4));
            descriptor.close();
        }
        Endpoint.closeAll(ends);
    }

    @Test
    void shouldCarrySeveralStreamsOfLargeWritesThatEndAtAnyPoint() {
        final Random random = Seeds.random("shouldCarrySeveralStreamsOfLargeWritesThatEndAtAnyPoint");
        final List<CompletableFuture<?>> work = new ArrayList<>();
        for (int i = 0; i < STREAMS; i++) {
            final Endpoint[] ends = PAIR.connect(i % 2 == 0 ? Role.GUEST : Role.HOST);
            final byte[] bytes = Pattern.bytes(10L + i, TOTAL / STREAMS + random.nextInt(MAX_WRITE));
            work.add(Background.start(() -> {
                ends[0].send(bytes);
                ends[0].close();
                return null;
            }));
            work.add(Background.start(() -> {
                assertArrayEquals(bytes, ends[1].readToEnd());
                ends[1].close();
                return null;
            }));
        }
        Background.joinAll(work);
    }

    /** Now and then with the end of a pipe that has something to be read. */
    private static int write(final Endpoint end, final byte[] bytes, final Random random) {
        int passed = 0;
        for (int at = 0; at < bytes.length;) {
            final int length = Math.min(bytes.length - at, 1 + random.nextInt(MAX_WRITE));
            final byte[] piece = Arrays.copyOfRange(bytes, at, at + length);
            if (random.nextInt(6) == 0) {
                final Endpoint[] pipe = Endpoint.pipe();
                pipe[1].write("here");
                end.send(piece, pipe[0]);
                Endpoint.closeAll(pipe);
                passed++;
            } else {
                end.send(piece);
            }
            at += length;
        }
        return passed;
    }
}
