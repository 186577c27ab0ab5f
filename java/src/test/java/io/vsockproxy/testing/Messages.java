/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import com.google.protobuf.ByteString;
import io.vsockproxy.proto.Close;
import io.vsockproxy.proto.ConnectRequest;
import io.vsockproxy.proto.ConnectResponse;
import io.vsockproxy.proto.Data;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.proto.FstatRequest;
import io.vsockproxy.proto.FtruncateRequest;
import io.vsockproxy.proto.PreadRequest;
import io.vsockproxy.proto.PwriteRequest;
import io.vsockproxy.proto.VSockMessage;
import java.util.Arrays;

/**
 * Short ways to write the protocol's messages.
 */
public final class Messages {
    private Messages() {
    }

    /** Close. */
    public static VSockMessage close(final long handle) {
        return VSockMessage.newBuilder().setClose(Close.newBuilder().setHandle(handle)).build();
    }

    /** Data. */
    public static VSockMessage data(final long handle, final String text, final FileDescriptor... descriptors) {
        return data(handle, ByteString.copyFromUtf8(text), descriptors);
    }

    /** Data. */
    public static VSockMessage data(final long handle, final byte[] bytes, final FileDescriptor... descriptors) {
        return data(handle, ByteString.copyFrom(bytes), descriptors);
    }

    private static VSockMessage data(final long handle, final ByteString blob, final FileDescriptor... descriptors) {
        return VSockMessage.newBuilder()
            .setData(Data.newBuilder().setHandle(handle).setBlob(blob).addAllTransferredFd(Arrays.asList(descriptors)))
            .build();
    }

    /** A descriptor in a Data. */
    public static FileDescriptor descriptor(final FileDescriptor.Type type, final long handle) {
        return FileDescriptor.newBuilder().setType(type).setHandle(handle).build();
    }

    /** ConnectRequest. */
    public static VSockMessage connectRequest(final long cookie, final String path) {
        return VSockMessage.newBuilder()
            .setConnectRequest(ConnectRequest.newBuilder().setCookie(cookie).setPath(path)).build();
    }

    /** ConnectRequest with early data. */
    public static VSockMessage connectRequest(final long cookie, final String path, final byte[] early) {
        return VSockMessage.newBuilder()
            .setConnectRequest(ConnectRequest.newBuilder().setCookie(cookie).setPath(path)
                .setEarlyData(ByteString.copyFrom(early)))
            .build();
    }

    /** ConnectResponse. */
    public static VSockMessage connectResponse(final long cookie, final int errno, final long handle) {
        return VSockMessage.newBuilder()
            .setConnectResponse(ConnectResponse.newBuilder().setCookie(cookie).setErrorCode(errno).setHandle(handle))
            .build();
    }

    /** PreadRequest; count and offset are unsigned. */
    public static VSockMessage preadRequest(
        final long cookie, final long handle, final long count, final long offset) {
        return VSockMessage.newBuilder()
            .setPreadRequest(
                PreadRequest.newBuilder().setCookie(cookie).setHandle(handle).setCount(count).setOffset(offset))
            .build();
    }

    /** PwriteRequest. */
    public static VSockMessage pwriteRequest(
        final long cookie, final long handle, final byte[] bytes, final long offset) {
        return VSockMessage.newBuilder()
            .setPwriteRequest(PwriteRequest.newBuilder().setCookie(cookie).setHandle(handle)
                .setBlob(ByteString.copyFrom(bytes)).setOffset(offset))
            .build();
    }

    /** FstatRequest. */
    public static VSockMessage fstatRequest(final long cookie, final long handle) {
        return fstatRequest(cookie, handle, 0);
    }

    /** FstatRequest that asks for more. */
    public static VSockMessage fstatRequest(final long cookie, final long handle, final int sync) {
        return VSockMessage.newBuilder().setFstatRequest(
            FstatRequest.newBuilder().setCookie(cookie).setHandle(handle).setSync(sync)).build();
    }

    /** FtruncateRequest. */
    public static VSockMessage ftruncateRequest(final long cookie, final long handle, final long length) {
        return VSockMessage.newBuilder()
            .setFtruncateRequest(FtruncateRequest.newBuilder().setCookie(cookie).setHandle(handle).setLength(length))
            .build();
    }
}
