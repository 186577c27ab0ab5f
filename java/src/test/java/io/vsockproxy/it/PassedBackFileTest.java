/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import io.vsockproxy.proto.FtruncateResponse;
import io.vsockproxy.proto.PwriteRequest;
import io.vsockproxy.proto.PwriteResponse;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.MountedGuest;
import io.vsockproxy.testing.Mounts;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.RawPeer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Writes to a file that a guest has received and passed back, which is then a file of the guest's whose writes are
 * relayed to the owner. Also writes of 0 bytes, and of more than the guest may have under way at once.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class PassedBackFileTest {
    private static final long FILE = 2;
    /** More than half of the default outbound ring, which is what may wait for the link. */
    private static final int LENGTH = 3 << 20;
    private static final int MAX_CARRIED = 1 << 20;

    @TempDir
    Path directory;
    private final byte[] content = Pattern.bytes(7, LENGTH);
    private MountedGuest guest;
    private RawPeer owner;
    private Endpoint file;
    private long passedBack;

    @BeforeEach
    void passAFileAndReceiveItBack() throws IOException {
        Mounts.assumeMountable();
        guest = new MountedGuest(directory);
        owner = guest.owner();
        file = guest.passAndReceive(FILE, 0);
        guest.application().send("the same", file);
        passedBack = owner.receive().getData().getTransferredFd(0).getHandle();
    }

    @AfterEach
    void end() {
        if (file != null) {
            file.close();
            guest.close();
        }
    }

    @Test
    void shouldCarryTheBeginningOfAWriteThatIsLongerThanOneRequestMayBe() {
        owner.send(Messages.pwriteRequest(7, passedBack, content, 11));
        final PwriteRequest request = request();
        assertEquals(MAX_CARRIED, request.getBlob().size());
        assertEquals(ByteString.copyFrom(content, 0, MAX_CARRIED), request.getBlob());
        assertEquals(11, request.getOffset());
        owner.send(response(request.getCookie(), MAX_CARRIED));
        assertAnswered(7, MAX_CARRIED);
    }

    @Test
    void shouldCarryManyLongWritesOneAfterTheOtherWhileTheLinkIsNotRead() {
        final int count = 8;
        for (int i = 0; i < count; i++) {
            owner.send(Messages.pwriteRequest(100 + i, passedBack, Arrays.copyOf(content, LENGTH / 2), i));
        }
        for (int i = 0; i < count; i++) {
            final PwriteRequest request = request();
            assertEquals(i, request.getOffset());
            assertEquals(ByteString.copyFrom(content, 0, MAX_CARRIED), request.getBlob());
            owner.send(response(request.getCookie(), MAX_CARRIED));
            assertAnswered(100 + i, MAX_CARRIED);
        }
    }

    @Test
    void shouldAnswerAWriteOfNothing() {
        owner.send(Messages.pwriteRequest(7, passedBack, new byte[0], 11));
        assertAnswered(7, 0);
    }

    @Test
    void shouldAnswerAWriteOfNothingThatWaitsForOthers() {
        owner.send(Messages.pwriteRequest(7, passedBack, new byte[100], 0));
        owner.send(Messages.ftruncateRequest(8, passedBack, 50));
        owner.send(Messages.pwriteRequest(9, passedBack, new byte[0], 10));
        owner.send(Messages.pwriteRequest(10, passedBack, new byte[1], 20));
        final long cookie = request().getCookie();
        assertAnswered(9, 0);
        owner.send(response(cookie, 100));
        assertAnswered(7, 100);
        final VSockMessage message = owner.receive();
        assertTrue(message.hasFtruncateRequest(), message::toString);
        owner.send(VSockMessage.newBuilder().setFtruncateResponse(FtruncateResponse.newBuilder()
            .setCookie(message.getFtruncateRequest().getCookie())).build());
        assertTrue(owner.receive().hasFtruncateResponse());
        owner.send(response(request().getCookie(), 1));
        assertAnswered(10, 1);
    }

    private void assertAnswered(final long cookie, final long written) {
        final VSockMessage answer = owner.receive();
        assertTrue(answer.hasPwriteResponse(), answer::toString);
        assertEquals(cookie, answer.getPwriteResponse().getCookie());
        assertEquals(0, answer.getPwriteResponse().getErrorCode());
        assertEquals(written, answer.getPwriteResponse().getBytesWritten());
    }

    private PwriteRequest request() {
        final VSockMessage message = owner.receive();
        assertTrue(message.hasPwriteRequest(), message::toString);
        assertEquals(FILE, message.getPwriteRequest().getHandle());
        return message.getPwriteRequest();
    }

    private static VSockMessage response(final long cookie, final long written) {
        return VSockMessage.newBuilder()
            .setPwriteResponse(PwriteResponse.newBuilder().setCookie(cookie).setBytesWritten(written)).build();
    }
}
