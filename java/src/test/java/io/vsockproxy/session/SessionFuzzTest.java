/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import static io.vsockproxy.testing.Script.bytes;
import static io.vsockproxy.testing.Script.join;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.testing.GoldenFrame;
import io.vsockproxy.testing.LogCapture;
import io.vsockproxy.testing.Mounts;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Peers that send anything at all to a real session between real sockets, with descriptors and files: the session goes
 * on or ends, every request gets its answer, nothing grows beyond its limits, and nothing is left.
 */
class SessionFuzzTest {
    private static final int HANDLE = 0;
    private static final int SEND_ANYTHING = 7;
    private static final int[] SETTINGS = {0x60, 0x61, 0x62, 0x63, 0x64, 0x68, 0x10};

    private static FuzzedProxy proxy;
    private static LogCapture log;

    /** Whole lives of connections, each with every kind of peer; and every golden frame. */
    static Stream<Arguments> scripts() {
        final byte[] connect = bytes(0, 0, 12);
        final byte[] hold = bytes(9);
        final byte[] receive = bytes(14, 0);
        final byte[] halfClose = bytes(18, 2);
        final byte[] close = bytes(3, HANDLE, 0);
        final List<byte[]> lives = new ArrayList<>();
        for (int length = 0; length < 12; length++) {
            lives.add(join(connect, data(length), receive, bytes(13, 0, length, 0), close));
        }
        for (int type = 0; type < 8; type++) {
            lives.add(join(connect, data(3, type), receive, data(3), bytes(13, 1, 3, 0), data(4, type, type), close));
            lives.add(join(connect, bytes(13, 0, 3, 1, type), bytes(5, 0, HANDLE, 5, 0), bytes(13, 1, 4, 0), close));
        }
        // Early data of all lengths, in both directions.
        final byte[] earlyOnes = bytes(0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 12);
        lives.add(join(earlyOnes, receive, bytes(17, 17, 17, 17, 17, 17, 17), bytes(6, 0, 0, 1, 0, 0), data(4)));
        lives.add(join(connect, halfClose, data(4), bytes(4, 3, HANDLE, 0)));
        lives.add(join(connect, bytes(4, 2, HANDLE, 9), bytes(13, 0, 8, 0), bytes(4, 4, 0, 1), bytes(11)));
        lives.add(join(hold, connect, connect, bytes(10, 20, 0), hold));
        lives.add(join(bytes(17), bytes(6, 0, 0, 1, 0, 0), data(4), receive));
        for (int call = 0; call < 4; call++) {
            // A file of the peer's that is used, with the peer's answers; and requests about one of ours.
            lives.add(join(connect, data(3, 6), receive, receive, bytes(16, call + 4, 3), bytes(6, 0, 0, 1, 3, 3)));
            lives.add(join(connect, bytes(13, 0, 3, 1, 7), bytes(5, call, HANDLE, 5, 0), close));
        }
        // A FIFO of ours, open for reading and writing: watched, read, read while empty, cancelled, written.
        lives.add(join(connect, connect, bytes(13, 0, 3, 1, 5), bytes(4, 8, HANDLE, 1), bytes(5, 0, HANDLE, 5, 0),
            bytes(5, 0, HANDLE, 5, 0), bytes(4, 7, HANDLE, 2), bytes(5, 1, HANDLE, 8, 0), close));
        for (int call = 0; call < 4; call++) {
            // One of the peer's that is used, with the peer's answers.
            lives.add(join(connect, data(3, 7), receive, receive, bytes(16, call + 4, 3), bytes(4, 9, HANDLE, 0),
                bytes(6, 0, 0, 1, 3, 3)));
        }
        final List<byte[]> scripts = new ArrayList<>();
        for (final int setting : SETTINGS) {
            for (final byte[] life : lives) {
                scripts.add(join(bytes(setting), life));
            }
        }
        for (final GoldenFrame golden : GoldenFrame.all()) {
            final byte[] body = golden.body();
            scripts.add(join(bytes(SETTINGS[0]), connect, bytes(SEND_ANYTHING, body.length), body));
        }
        return scripts.stream().map(script -> Arguments.of((Object) script));
    }

    @BeforeAll
    static void start() throws IOException {
        log = new LogCapture();
        proxy = new FuzzedProxy(Mounts.isMountable());
        // Some descriptors are opened at the first use, and kept.
        run(bytes(SETTINGS[0], 0, 0, 12));
    }

    @AfterAll
    static void stop() {
        proxy.close();
        log.close();
    }

    @Timeout(value = 60, unit = TimeUnit.SECONDS)
    @MethodSource("scripts")
    @FuzzTest(maxDuration = "")
    void shouldSurviveAnyPeer(final byte[] input) {
        final int before = Descriptors.count();
        run(input);
        proxy.turnUntil(
            () -> Descriptors.count() <= before,
            () -> "descriptors: before=" + before + ", now=" + Descriptors.describe());
    }

    private static void run(final byte[] input) {
        log.clear();
        try (HostileScript script = new HostileScript(proxy, input)) {
            script.run();
        }
    }

    private static byte[] data(final int length, final int... types) {
        final ByteArrayOutputStream all = new ByteArrayOutputStream();
        all.writeBytes(bytes(1, HANDLE, length, types.length));
        for (final int type : types) {
            all.writeBytes(type == 0 ? bytes(type, 2, 0, 0) : bytes(type, 2, 0));
        }
        all.write(0);
        return all.toByteArray();
    }
}
