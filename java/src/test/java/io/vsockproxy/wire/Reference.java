/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.protobuf.ByteString;
import com.google.protobuf.DiscardUnknownFieldsParser;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.InvalidProtocolBufferException;
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
import java.nio.charset.StandardCharsets;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Converts the results of protobuf-java and of this package's decoder into one form, so that they can be compared.
 */
final class Reference {
    private Reference() {
    }

    /** The frame that protobuf makes of a message. */
    static byte[] frame(final VSockMessage message) {
        return frame(message.toByteArray());
    }

    static byte[] frame(final byte[] body) {
        final UnsafeBuffer frame = new UnsafeBuffer(new byte[FrameDescriptor.SIZE_LENGTH + body.length]);
        FrameDescriptor.bodyLength(frame, 0, body.length);
        frame.putBytes(FrameDescriptor.SIZE_LENGTH, body);
        return frame.byteArray();
    }

    /**
     * Decodes a body with protobuf, without unknown fields.
     *
     * <p>The generated class decides whether it parses. The content comes from a DynamicMessage, because the generated
     * builder keeps a command that another one has replaced, and merges it if the first appears again, which neither
     * the specification nor protobuf's other readers do.
     */
    static VSockMessage parse(final byte[] body) throws InvalidProtocolBufferException {
        final VSockMessage generated = VSockMessage.parseFrom(body);
        final ByteString normal = DynamicMessage.parseFrom(VSockMessage.getDescriptor(), body).toByteString();
        final VSockMessage message = DiscardUnknownFieldsParser.wrap(VSockMessage.parser()).parseFrom(normal);
        assertEquals(generated.getCommandCase(), message.getCommandCase());
        return message;
    }

    /** What a decoder shows, field by field. */
    static VSockMessage message(final MessageDecoder decoder) {
        final VSockMessage.Builder message = VSockMessage.newBuilder();
        switch (decoder.command()) {
            case Command.NONE -> message.clearCommand();
            case Command.CLOSE -> message.setClose(
                Close.newBuilder()
                    .setHandle(decoder.handle()).setNoticeValue(decoder.notice()).setSubject(decoder.subject())
                    .setAmount(decoder.amount()).setBits(decoder.bits()).setReason(decoder.reason()));
            case Command.DATA -> message.setData(data(decoder));
            case Command.CONNECT_REQUEST -> message.setConnectRequest(
                ConnectRequest.newBuilder().setCookie(decoder.cookie()).setPath(path(decoder))
                    .setEarlyData(blob(decoder)));
            case Command.CONNECT_RESPONSE -> message.setConnectResponse(
                ConnectResponse.newBuilder()
                    .setCookie(decoder.cookie()).setErrorCode(decoder.errorCode()).setHandle(decoder.handle()));
            case Command.PREAD_REQUEST -> message.setPreadRequest(
                PreadRequest.newBuilder()
                    .setCookie(decoder.cookie()).setHandle(decoder.handle())
                    .setCount(decoder.count()).setOffset(decoder.fileOffset()));
            case Command.PREAD_RESPONSE -> message.setPreadResponse(
                PreadResponse.newBuilder()
                    .setCookie(decoder.cookie()).setErrorCode(decoder.errorCode()).setBlob(blob(decoder)));
            case Command.PWRITE_REQUEST -> message.setPwriteRequest(
                PwriteRequest.newBuilder()
                    .setCookie(decoder.cookie()).setHandle(decoder.handle())
                    .setBlob(blob(decoder)).setOffset(decoder.fileOffset()));
            case Command.PWRITE_RESPONSE -> message.setPwriteResponse(
                PwriteResponse.newBuilder()
                    .setCookie(decoder.cookie()).setErrorCode(decoder.errorCode())
                    .setBytesWritten(decoder.bytesWritten()));
            case Command.FSTAT_REQUEST -> message.setFstatRequest(
                FstatRequest.newBuilder()
                    .setCookie(decoder.cookie()).setHandle(decoder.handle()).setSync(decoder.sync()));
            case Command.FSTAT_RESPONSE -> message.setFstatResponse(
                FstatResponse.newBuilder()
                    .setCookie(decoder.cookie()).setErrorCode(decoder.errorCode()).setSize(decoder.size())
                    .setMode(decoder.mode()).setLinks(decoder.links()).setBlocks(decoder.blocks())
                    .setAccessTimeNs(decoder.accessTimeNs()).setModificationTimeNs(decoder.modificationTimeNs())
                    .setChangeTimeNs(decoder.changeTimeNs()));
            case Command.FTRUNCATE_REQUEST -> message.setFtruncateRequest(
                FtruncateRequest.newBuilder()
                    .setCookie(decoder.cookie()).setHandle(decoder.handle()).setLength(decoder.length()));
            case Command.FTRUNCATE_RESPONSE -> message.setFtruncateResponse(
                FtruncateResponse.newBuilder().setCookie(decoder.cookie()).setErrorCode(decoder.errorCode()));
            default -> throw new AssertionError(Command.name(decoder.command()));
        }
        return message.build();
    }

    static byte[] bytes(final DirectBuffer buffer, final int offset, final int length) {
        final byte[] bytes = new byte[length];
        buffer.getBytes(offset, bytes);
        return bytes;
    }

    private static Data data(final MessageDecoder decoder) {
        final Data.Builder data = Data.newBuilder().setHandle(decoder.handle()).setBlob(blob(decoder));
        for (int i = 0; i < decoder.descriptorCount(); i++) {
            data.addTransferredFd(FileDescriptor.newBuilder()
                .setTypeValue(decoder.descriptorType(i))
                .setHandle(decoder.descriptorHandle(i))
                .setFlags(decoder.descriptorFlags(i))
                .setPosition(decoder.descriptorPosition(i)));
        }
        return data.build();
    }

    private static ByteString blob(final MessageDecoder decoder) {
        return ByteString.copyFrom(bytes(decoder.buffer(), decoder.blobOffset(), decoder.blobLength()));
    }

    private static String path(final MessageDecoder decoder) {
        return new String(
            bytes(decoder.buffer(), decoder.pathOffset(), decoder.pathLength()), StandardCharsets.UTF_8);
    }
}
