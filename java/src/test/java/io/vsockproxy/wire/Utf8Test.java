/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import io.vsockproxy.testing.Seeds;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Random;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class Utf8Test {
    @Test
    void shouldAcceptEveryCodePoint() {
        for (int codePoint = 0; codePoint <= Character.MAX_CODE_POINT; codePoint++) {
            if (codePoint < 0xD800 || codePoint > 0xDFFF) {
                assertTrue(isValid(Character.toString(codePoint).getBytes(StandardCharsets.UTF_8)));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "80", "bf", "c080", "c1bf", "c2", "c241", "e08080", "e09fbf", "eda080", "edbfbf", "e282", "e28241", "f0808080",
        "f08fbfbf", "f4908080", "f5808080", "f09f98", "f09f9841", "ff", "fe",
    })
    void shouldRejectWhatUnicodeCallsIllFormed(final String hex) {
        assertFalse(isValid(HexFormat.of().parseHex(hex)));
        assertFalse(isValid(HexFormat.of().parseHex("2f" + hex)));
        assertFalse(isValid(HexFormat.of().parseHex(hex + "2f")));
    }

    @Test
    void shouldAgreeWithProtobufOnAllSequencesOfTwoAndThreeBytesAndManyOfFour() {
        final byte[] two = new byte[2];
        final byte[] three = new byte[3];
        for (int i = 0; i < 1 << 16; i++) {
            two[0] = (byte) (i >> 8);
            two[1] = (byte) i;
            verify(two);
        }
        for (int i = 0xC0 << 16; i < 1 << 24; i += 3) {
            three[0] = (byte) (i >> 16);
            three[1] = (byte) (i >> 8);
            three[2] = (byte) i;
            verify(three);
        }
        final Random random = Seeds.random("UTF-8");
        final byte[] four = new byte[4];
        for (int i = 0; i < 500_000; i++) {
            random.nextBytes(four);
            four[0] |= (byte) 0xE0;
            four[1] = (byte) ((four[1] & 0x3F) | 0x80);
            four[2] = (byte) ((four[2] & 0x7F) | 0x80);
            verify(four);
        }
    }

    @Test
    void shouldNotReadBeyondTheEnd() {
        final byte[] bytes = HexFormat.of().parseHex("2fe282ac");
        assertEquals(4, firstInvalid(bytes, 4));
        assertEquals(1, firstInvalid(bytes, 3));
        assertEquals(1, firstInvalid(bytes, 2));
        assertEquals(1, firstInvalid(bytes, 1));
        assertEquals(0, firstInvalid(bytes, 0));
    }

    private static void verify(final byte[] bytes) {
        assertEquals(
            ByteString.copyFrom(bytes).isValidUtf8(), isValid(bytes), () -> HexFormat.of().formatHex(bytes));
    }

    private static boolean isValid(final byte[] bytes) {
        return firstInvalid(bytes, bytes.length) == bytes.length;
    }

    private static int firstInvalid(final byte[] bytes, final int end) {
        return Utf8.firstInvalid(bytes, new UnsafeBuffer(bytes).addressOffset(), 0, end);
    }
}
