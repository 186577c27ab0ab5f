/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import io.vsockproxy.posix.FileAttributes;
import io.vsockproxy.proto.Close;
import io.vsockproxy.proto.ConnectRequest;
import io.vsockproxy.proto.Data;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.proto.FstatResponse;
import io.vsockproxy.proto.PreadRequest;
import io.vsockproxy.proto.PreadResponse;
import io.vsockproxy.proto.PwriteRequest;
import io.vsockproxy.proto.VSockMessage;
import java.nio.charset.StandardCharsets;
import org.agrona.ExpandableArrayBuffer;
import org.agrona.MutableDirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Writes a protobuf message's frame with this package's encoders.
 */
final class FlyweightEncoder {
    /** Not at the start, so that no encoder can take its offset for 0. */
    private static final int OFFSET = 100;
    /** Of a Data message's entry for a descriptor: tag, length and four integers. */
    private static final int MAX_DESCRIPTOR_LENGTH = 2 + 4 * (1 + Varint.MAX_LENGTH);

    private FlyweightEncoder() {
    }

    static byte[] frame(final VSockMessage message) {
        final MutableDirectBuffer buffer = new ExpandableArrayBuffer();
        return switch (message.getCommandCase()) {
            case DATA -> data(message.getData());
            case CONNECT_REQUEST -> connectRequest(message.getConnectRequest());
            case PREAD_RESPONSE -> preadResponse(buffer, message.getPreadResponse());
            case PWRITE_REQUEST -> pwriteRequest(message.getPwriteRequest());
            case COMMAND_NOT_SET -> Reference.frame(new byte[0]);
            default -> Reference.bytes(buffer, OFFSET, control(buffer, OFFSET, message));
        };
    }

    private static int control(final MutableDirectBuffer buffer, final int offset, final VSockMessage message) {
        return switch (message.getCommandCase()) {
            case CLOSE -> close(buffer, offset, message.getClose());
            case CONNECT_RESPONSE -> MessageEncoder.connectResponse(
                buffer,
                offset,
                message.getConnectResponse().getCookie(),
                message.getConnectResponse().getErrorCode(),
                message.getConnectResponse().getHandle());
            case PREAD_REQUEST -> preadRequest(buffer, offset, message.getPreadRequest());
            case PWRITE_RESPONSE -> MessageEncoder.pwriteResponse(
                buffer,
                offset,
                message.getPwriteResponse().getCookie(),
                message.getPwriteResponse().getErrorCode(),
                message.getPwriteResponse().getBytesWritten());
            case FSTAT_REQUEST -> MessageEncoder.fstatRequest(
                buffer, offset, message.getFstatRequest().getCookie(), message.getFstatRequest().getHandle(),
                message.getFstatRequest().getSync());
            case FSTAT_RESPONSE -> fstatResponse(buffer, offset, message.getFstatResponse());
            case FTRUNCATE_REQUEST -> MessageEncoder.ftruncateRequest(
                buffer,
                offset,
                message.getFtruncateRequest().getCookie(),
                message.getFtruncateRequest().getHandle(),
                message.getFtruncateRequest().getLength());
            case FTRUNCATE_RESPONSE -> MessageEncoder.ftruncateResponse(
                buffer,
                offset,
                message.getFtruncateResponse().getCookie(),
                message.getFtruncateResponse().getErrorCode());
            default -> throw new IllegalArgumentException(message.getCommandCase().name());
        };
    }

    private static int close(final MutableDirectBuffer buffer, final int offset, final Close close) {
        if (close.getNoticeValue() != 0 || close.getSubject() != 0 || close.getAmount() != 0 || close.getBits() != 0) {
            return MessageEncoder.notice(
                buffer, offset, close.getNoticeValue(), close.getSubject(), close.getAmount(), close.getBits());
        }
        return close.getReason() != 0
            ? MessageEncoder.reset(buffer, offset, close.getHandle(), close.getReason())
            : MessageEncoder.close(buffer, offset, close.getHandle());
    }

    private static int preadRequest(final MutableDirectBuffer buffer, final int offset, final PreadRequest request) {
        return MessageEncoder.preadRequest(
            buffer, offset, request.getCookie(), request.getHandle(), request.getCount(), request.getOffset());
    }

    private static byte[] connectRequest(final ConnectRequest request) {
        final UnsafeBuffer path = new UnsafeBuffer(request.getPath().getBytes(StandardCharsets.UTF_8));
        final byte[] early = request.getEarlyData().toByteArray();
        final int length = ConnectRequestHeader.length(request.getCookie(), path.capacity(), early.length);
        final UnsafeBuffer frame = new UnsafeBuffer(new byte[length + early.length]);
        ConnectRequestHeader.encode(frame, 0, request.getCookie(), path, early.length);
        frame.putBytes(length, early);
        return frame.byteArray();
    }

    private static byte[] preadResponse(final MutableDirectBuffer buffer, final PreadResponse response) {
        if (response.getErrorCode() != 0) {
            final int length =
                MessageEncoder.preadError(buffer, OFFSET, response.getCookie(), response.getErrorCode());
            return Reference.bytes(buffer, OFFSET, length);
        }
        final byte[] blob = response.getBlob().toByteArray();
        final UnsafeBuffer frame = new UnsafeBuffer(new byte[PreadResponseHeader.MAX_LENGTH + blob.length]);
        frame.putBytes(PreadResponseHeader.MAX_LENGTH, blob);
        final int start = PreadResponseHeader.encodeBefore(
            frame, PreadResponseHeader.MAX_LENGTH, response.getCookie(), blob.length);
        return Reference.bytes(frame, start, frame.capacity() - start);
    }

    private static byte[] pwriteRequest(final PwriteRequest request) {
        final byte[] blob = request.getBlob().toByteArray();
        final UnsafeBuffer frame = new UnsafeBuffer(new byte[PwriteRequestHeader.MAX_LENGTH + blob.length]);
        frame.putBytes(PwriteRequestHeader.MAX_LENGTH, blob);
        final int start = PwriteRequestHeader.encodeBefore(
            frame,
            PwriteRequestHeader.MAX_LENGTH,
            request.getCookie(),
            request.getHandle(),
            request.getOffset(),
            blob.length);
        return Reference.bytes(frame, start, frame.capacity() - start);
    }

    private static int fstatResponse(
        final MutableDirectBuffer buffer, final int offset, final FstatResponse response) {
        return response.getMode() == 0
            ? MessageEncoder.fstatResponse(
                buffer, offset, response.getCookie(), response.getErrorCode(), response.getSize())
            : MessageEncoder.fstatResponse(buffer, offset, response.getCookie(), new FileAttributes().set(
                response.getSize(), response.getMode(), response.getLinks(), response.getBlocks(),
                response.getAccessTimeNs(), response.getModificationTimeNs(), response.getChangeTimeNs()));
    }

    private static byte[] data(final Data data) {
        final byte[] blob = data.getBlob().toByteArray();
        final int maxTrailingLength = data.getTransferredFdCount() * MAX_DESCRIPTOR_LENGTH;
        final UnsafeBuffer frame = new UnsafeBuffer(
            new byte[DataHeader.MAX_LENGTH + blob.length + maxTrailingLength]);
        frame.putBytes(DataHeader.MAX_LENGTH, blob);
        final int end = DataHeader.MAX_LENGTH + blob.length;
        int position = end;
        for (final FileDescriptor descriptor : data.getTransferredFdList()) {
            position = MessageEncoder.putTransferredDescriptor(
                frame, position, descriptor.getTypeValue(), descriptor.getHandle(), descriptor.getFlags(),
                descriptor.getPosition());
        }
        final int start = DataHeader.encodeBefore(
            frame, DataHeader.MAX_LENGTH, data.getHandle(), blob.length, position - end);
        return Reference.bytes(frame, start, position - start);
    }
}
