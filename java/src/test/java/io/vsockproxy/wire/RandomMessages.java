/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import com.google.protobuf.ByteString;
import io.vsockproxy.proto.Close;
import io.vsockproxy.proto.ConnectRequest;
import io.vsockproxy.proto.ConnectResponse;
import io.vsockproxy.proto.Data;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.proto.FstatRequest;
import io.vsockproxy.proto.FstatResponse;
import io.vsockproxy.proto.FtruncateRequest;
import io.vsockproxy.proto.FtruncateResponse;
import io.vsockproxy.proto.PreadRequest;
import io.vsockproxy.proto.PreadResponse;
import io.vsockproxy.proto.PwriteRequest;
import io.vsockproxy.proto.PwriteResponse;
import io.vsockproxy.proto.VSockMessage;
import java.util.Random;

/**
 * Messages of every command, with values of every length.
 */
final class RandomMessages {
    static final int MAX_DESCRIPTORS = 8;

    private static final long[] CORNERS = {
        0, 1, -1, 127, 128, 16383, 16384, Integer.MAX_VALUE, Integer.MIN_VALUE, 1L << 32,
        Long.MAX_VALUE, Long.MIN_VALUE,
    };

    private final Random random;

    RandomMessages(final Random random) {
        this.random = random;
    }

    VSockMessage next() {
        return next(1 + random.nextInt(Command.FTRUNCATE_RESPONSE));
    }

    VSockMessage next(final int command) {
        final VSockMessage.Builder message = VSockMessage.newBuilder();
        switch (command) {
            case Command.CLOSE -> message.setClose(close());
            case Command.DATA -> message.setData(data());
            case Command.CONNECT_REQUEST -> message.setConnectRequest(
                ConnectRequest.newBuilder().setCookie(integer()).setPath(path()).setEarlyData(earlyData()));
            case Command.CONNECT_RESPONSE -> message.setConnectResponse(
                ConnectResponse.newBuilder().setCookie(integer()).setErrorCode((int) integer()).setHandle(integer()));
            case Command.PREAD_REQUEST -> message.setPreadRequest(
                PreadRequest.newBuilder()
                    .setCookie(integer()).setHandle(integer()).setCount(integer()).setOffset(integer()));
            case Command.PREAD_RESPONSE -> message.setPreadResponse(preadResponse());
            case Command.PWRITE_REQUEST -> message.setPwriteRequest(
                PwriteRequest.newBuilder()
                    .setCookie(integer()).setHandle(integer()).setBlob(blob()).setOffset(integer()));
            case Command.PWRITE_RESPONSE -> message.setPwriteResponse(
                PwriteResponse.newBuilder()
                    .setCookie(integer()).setErrorCode((int) integer()).setBytesWritten(integer()));
            case Command.FSTAT_REQUEST -> message.setFstatRequest(
                FstatRequest.newBuilder().setCookie(integer()).setHandle(integer()).setSync((int) integer()));
            case Command.FSTAT_RESPONSE -> message.setFstatResponse(fstatResponse());
            case Command.FTRUNCATE_REQUEST -> message.setFtruncateRequest(
                FtruncateRequest.newBuilder().setCookie(integer()).setHandle(integer()).setLength(integer()));
            case Command.FTRUNCATE_RESPONSE -> message.setFtruncateResponse(
                FtruncateResponse.newBuilder().setCookie(integer()).setErrorCode((int) integer()));
            default -> throw new IllegalArgumentException("command=" + command);
        }
        return message.build();
    }

    /** Any number of bits is as likely as any other. */
    long integer() {
        return random.nextInt(3) == 0
            ? CORNERS[random.nextInt(CORNERS.length)]
            : random.nextLong() >>> random.nextInt(Long.SIZE);
    }

    private ByteString earlyData() {
        final ByteString blob = random.nextBoolean() ? blob() : ByteString.EMPTY;
        return blob.substring(0, Math.min(blob.size(), ConnectRequestHeader.MAX_EARLY_LENGTH));
    }

    ByteString blob() {
        final byte[] blob = new byte[random.nextInt(20) == 0 ? random.nextInt(20_000) : random.nextInt(200)];
        random.nextBytes(blob);
        return ByteString.copyFrom(blob);
    }

    String path() {
        final StringBuilder path = new StringBuilder();
        for (int i = random.nextInt(40); i > 0; i--) {
            final int codePoint = random.nextInt(1 << (7 + random.nextInt(14)));
            path.appendCodePoint(codePoint >= 0xD800 && codePoint < 0xE000 ? 'x' : codePoint);
        }
        return path.toString();
    }

    /** A plain Close, one with a reason, or a notice. */
    private Close.Builder close() {
        return switch (random.nextInt(3)) {
            case 0 -> Close.newBuilder().setHandle(integer());
            case 1 -> Close.newBuilder().setHandle(integer()).setReason((int) integer());
            default -> Close.newBuilder()
                .setNoticeValue((int) integer()).setSubject(integer()).setAmount(integer())
                .setBits((int) integer());
        };
    }

    private Data data() {
        final Data.Builder data = Data.newBuilder().setHandle(integer()).setBlob(blob());
        for (int i = random.nextBoolean() ? 0 : random.nextInt(MAX_DESCRIPTORS + 1); i > 0; i--) {
            data.addTransferredFd(FileDescriptor.newBuilder()
                .setTypeValue(random.nextInt(10) == 0 ? (int) integer() : random.nextInt(8))
                .setHandle(integer())
                .setFlags((int) integer())
                .setPosition(integer()));
        }
        return data.build();
    }

    /** The size or an error, or everything that is known. */
    private FstatResponse.Builder fstatResponse() {
        final FstatResponse.Builder response = FstatResponse.newBuilder().setCookie(integer());
        return random.nextBoolean()
            ? response.setErrorCode((int) integer()).setSize(integer())
            : response.setSize(integer()).setMode((int) integer() | 1).setLinks((int) integer()).setBlocks(integer())
                .setAccessTimeNs(integer()).setModificationTimeNs(integer()).setChangeTimeNs(integer());
    }

    /** A blob or an error, as a peer would send it; sometimes neither. */
    private PreadResponse preadResponse() {
        final PreadResponse.Builder response = PreadResponse.newBuilder().setCookie(integer());
        return random.nextBoolean()
            ? response.setErrorCode((int) integer()).build()
            : response.setBlob(blob()).build();
    }
}
