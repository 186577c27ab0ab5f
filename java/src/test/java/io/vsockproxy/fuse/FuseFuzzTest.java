/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import static io.vsockproxy.testing.Script.bytes;
import static io.vsockproxy.testing.Script.join;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.vsockproxy.posix.Descriptors;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Any requests from /dev/fuse, in any order, with files' backends that answer at once, later or never: each request
 * that expects an answer gets exactly one.
 */
class FuseFuzzTest {
    private static final int FILE = 0;
    private static final int ROOT = 0xD0;
    /** By kind: bytes; an offset and a length of 7, with data; a name; a version; a number; numbers; a size. */
    private static final byte[][] ARGUMENTS = {
        bytes(0, 8, 0, 0, 0, 0, 0, 0, 0, 0), bytes(1, 0, 4, 0, 63), bytes(2, FILE), bytes(3, 7, 40, 0, 0, 1),
        bytes(4, 1), bytes(5, 2, 0, FILE, 1, FILE, 1), bytes(6, 8, 5),
    };
    private static final byte[] HOLD = bytes(2, 0, 3);
    private static final byte[] REFUSE = bytes(2, 0, 4);
    private static final byte[] COMPLETE = bytes(3, 0, 0);
    private static final byte[] RESUME = bytes(4);
    private static final byte[] PAUSE = bytes(5);
    private static final byte[] ASK_FIRST = bytes(6, 0);
    private static final byte[] ADD_FILE = bytes(7, 2, 0);
    private static final byte[] OPEN_ENDED = bytes(8, 0);
    private static final byte[] END = bytes(10, 0xEE);

    /** One input for each opcode and kind of arguments, and some whose parts belong together. */
    static Stream<Arguments> scripts() {
        final List<byte[]> scripts = new ArrayList<>();
        for (final int opcode : FuseScript.OPCODES) {
            for (final byte[] arguments : ARGUMENTS) {
                scripts.add(request(opcode, FILE, arguments));
            }
        }
        final byte[] read = request(FuseProtocol.READ, FILE, ARGUMENTS[1]);
        final byte[] write = request(FuseProtocol.WRITE, FILE, ARGUMENTS[1]);
        final byte[] interrupt = request(FuseProtocol.INTERRUPT, FILE, ARGUMENTS[4]);
        final byte[] lookup = request(FuseProtocol.LOOKUP, ROOT, ARGUMENTS[2]);
        final byte[] open = request(FuseProtocol.OPEN, FILE, ARGUMENTS[0]);
        final byte[] release = request(FuseProtocol.RELEASE, FILE, ARGUMENTS[0]);
        final byte[] forget = request(FuseProtocol.FORGET, FILE, ARGUMENTS[0]);
        scripts.add(join(HOLD, read, interrupt, write, COMPLETE, COMPLETE));
        scripts.add(join(REFUSE, write, write, interrupt, RESUME, release));
        scripts.add(join(ADD_FILE, ASK_FIRST, lookup, open, OPEN_ENDED, release, forget));
        scripts.add(join(REFUSE, write, HOLD, read, PAUSE, read, END, read));
        return scripts.stream().map(script -> Arguments.of((Object) script));
    }

    @Timeout(value = 30, unit = TimeUnit.SECONDS)
    @MethodSource("scripts")
    @FuzzTest(maxDuration = "")
    void shouldAnswerEveryRequestOnceWhateverComes(final byte[] input) throws InterruptedException {
        final int descriptors = Descriptors.count();
        try (FuseScript script = new FuseScript(input)) {
            script.run();
        }
        Descriptors.assertCount(descriptors);
    }

    private static byte[] request(final int opcode, final int node, final byte[] arguments) {
        int index = 0;
        while (FuseScript.OPCODES[index] != opcode) {
            index++;
        }
        return join(bytes(0, index, node), arguments, bytes(0));
    }
}
