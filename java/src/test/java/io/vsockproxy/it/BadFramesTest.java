/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Errno;
import io.vsockproxy.proto.PreadResponse;
import io.vsockproxy.proto.PwriteResponse;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.RunningHost;
import io.vsockproxy.testing.RunsOverVsock;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Frames that no correct guest sends: those that end the session, and those that are ignored.
 */
@RunsOverVsock
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class BadFramesTest {
    private static final int MAX_FRAME_LENGTH = 16 << 20;

    @RegisterExtension
    static final RunningHost HOST = new RunningHost();

    @ParameterizedTest
    @CsvSource({
        "16777217, 16777217",
        "4294967296, 4294967296",
        "9223372036854775807, 9223372036854775807",
        "-9223372036854775808, 9223372036854775808",
        "-1, 18446744073709551615",
    })
    void shouldEndTheSessionWhenAFrameIsTooLarge(final long size, final String unsigned) {
        final String line = HOST.sessionEnd(guest -> {
            guest.send(Messages.close(1));
            guest.send(Messages.close(1));
            guest.send(sizeOnly(size));
        });
        assertTrue(line.contains("guest "), line);
        assertTrue(line.contains("frame 3: frame too large: size=" + unsigned + ", max=" + MAX_FRAME_LENGTH), line);
    }

    @Test
    void shouldTakeTheLargestFrameThereMayBe() {
        final RawPeer guest = HOST.guest();
        final int overhead = Messages.data(1, new byte[MAX_FRAME_LENGTH - 64]).getSerializedSize()
            - (MAX_FRAME_LENGTH - 64);
        final VSockMessage message = Messages.data(1, new byte[MAX_FRAME_LENGTH - overhead]);
        assertEquals(MAX_FRAME_LENGTH, message.getSerializedSize());
        guest.send(message);
        expectAnswer(guest);
    }

    @Test
    void shouldShowWhatAClientOfAnotherProtocolSays() {
        final String line = HOST.sessionEnd(
            guest -> guest.send("GET / HTTP/1.1\r\n".getBytes(StandardCharsets.US_ASCII)));
        assertTrue(line.contains("; the peer is not a proxy: it sent 'GET / HT' ("), line);
    }

    @Test
    void shouldSayThatAPeerThatHasGoneHadSentNothing() {
        HOST.guest().close();
        final String line = ended();
        assertTrue(line.contains(", and had sent nothing ("), line);
    }

    @ParameterizedTest
    @ValueSource(strings = {
        // A length that overruns: of the command, of a blob inside it.
        "0a05", "1205080112ff01",
        // Varints: cut off, of eleven bytes.
        "0a0208ff", "0a0c08ffffffffffffffffffff0101",
        // Field number 0, wire types 6 and 7, the end of a group that was not begun, a group that does not end.
        "00", "0e", "0f", "0c", "0b08",
        // A path that is not UTF-8.
        "1a0508011201ff",
    })
    void shouldEndTheSessionWhenAFrameDoesNotParse(final String hex) {
        final String line = HOST.sessionEnd(guest -> {
            guest.send(Messages.close(1));
            guest.send(RawPeer.frame(bytes(hex)));
        });
        assertTrue(line.contains("session ended: frame 2: "), line);
    }

    @ParameterizedTest
    @ValueSource(strings = {
        // An empty body; commands 13 and 536870911; a field of another wire type under a command's number.
        "", "6a00", "fa ff ff ff 0f 00", "0801",
    })
    void shouldIgnoreUnknownCommands(final String hex) {
        final RawPeer guest = HOST.guest();
        guest.send(RawPeer.frame(bytes(hex)));
        expectAnswer(guest);
        guest.close();
        assertTrue(ended().contains("unknown commands=1,"), HOST.log().linesWith("session ended").toString());
    }

    @Test
    void shouldIgnoreResponsesThatNobodyAskedFor() {
        final RawPeer guest = HOST.guest();
        guest.send(Messages.connectResponse(5, 0, -1));
        guest.send(VSockMessage.newBuilder().setPreadResponse(PreadResponse.newBuilder().setCookie(5)).build());
        guest.send(VSockMessage.newBuilder().setPwriteResponse(PwriteResponse.newBuilder().setCookie(5)).build());
        expectAnswer(guest);
        guest.close();
        assertTrue(ended().contains("unasked responses=3,"), HOST.log().linesWith("session ended").toString());
    }

    @Test
    void shouldIgnoreDataAndCloseForUnknownHandles() {
        final RawPeer guest = HOST.guest();
        guest.send(Messages.data(12345, "nobody reads this"));
        guest.send(Messages.data(-12345, new byte[300_000]));
        guest.send(Messages.close(-99));
        guest.send(Messages.close(Long.MIN_VALUE));
        // Handle 0 is for the extension's notices, and not even counted.
        guest.send(Messages.close(0));
        expectAnswer(guest);
        guest.close();
        assertTrue(ended().contains("unknown handles=4,"), HOST.log().linesWith("session ended").toString());
    }

    @Test
    void shouldSayHowMuchOfAFrameHadComeWhenTheGuestGoes() {
        final RawPeer guest = HOST.guest();
        guest.send(sizeOnly(100));
        guest.send(new byte[] {1, 2, 3});
        guest.link().shutdownWrite();
        guest.expectEnd();
        final String line = ended();
        assertTrue(line.contains("inside a frame of which 11 bytes had come"), line);
    }

    @Test
    void shouldKeepOtherGuestsWhenOneMisbehaves() {
        final RawPeer honest = HOST.guest();
        final RunningHost.Connection connection = HOST.connect(honest);
        HOST.sessionEnd(guest -> guest.send(sizeOnly(-1)));
        honest.send(Messages.data(connection.handle(), "still here"));
        assertEquals("still here", connection.application().readText(10));
        connection.application().send("so am I");
        assertEquals("so am I", honest.receive().getData().getBlob().toStringUtf8());
    }

    @Test
    void shouldCloseWhatWasTheGuestsWhenItMisbehaves() {
        final RunningHost.Connection[] connection = new RunningHost.Connection[1];
        HOST.sessionEnd(guest -> {
            connection[0] = HOST.connect(guest);
            guest.send(sizeOnly(-1));
        });
        connection[0].application().expectEnd();
    }

    private static String ended() {
        return HOST.log().awaitOne("session ended: ");
    }

    /** The session is alive: a request is answered. */
    private static void expectAnswer(final RawPeer guest) {
        guest.send(Messages.fstatRequest(-2, 424242));
        assertEquals(Errno.EBADF, guest.receive().getFstatResponse().getErrorCode());
    }

    private static byte[] sizeOnly(final long size) {
        return ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(size).array();
    }

    private static int[] bytes(final String hex) {
        final String digits = hex.replace(" ", "");
        final int[] bytes = new int[digits.length() / 2];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = Integer.parseInt(digits.substring(2 * i, 2 * i + 2), 16);
        }
        return bytes;
    }
}
