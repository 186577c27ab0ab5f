/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import com.google.protobuf.ByteString;
import io.vsockproxy.proto.Close;
import io.vsockproxy.proto.ConnectResponse;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.proto.FstatResponse;
import io.vsockproxy.proto.FtruncateResponse;
import io.vsockproxy.proto.PreadResponse;
import io.vsockproxy.proto.PwriteResponse;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Messages;
import java.util.ArrayList;
import java.util.List;

/**
 * Every message that a guest can say about a handle, with values at their bounds.
 */
final class EveryMessage {
    /** Of the requests among them. */
    static final int REQUEST_COOKIE = 8888;
    private static final int LONG = 20_000;

    private EveryMessage() {
    }

    /** Whether a message ends the session. */
    enum Ends { NEVER, ALWAYS, MAYBE }

    /** A message, and whether it ends the session. */
    record Case(VSockMessage message, Ends ends) { }

    /** All of them, about {@code handle}; what is asked has the cookie {@link #REQUEST_COOKIE}. */
    static List<Case> about(final long handle, final boolean isExtended) {
        final List<Case> all = new ArrayList<>();
        for (final int length : new int[] {0, 1, LONG}) {
            all.add(new Case(Messages.data(handle, new byte[length]), Ends.NEVER));
        }
        for (final FileDescriptor.Type type : FileDescriptor.Type.values()) {
            if (type == FileDescriptor.Type.UNRECOGNIZED || type == FileDescriptor.Type.TRANSPORTABLE) {
                continue;
            }
            final boolean isUnknown = type == FileDescriptor.Type.FIFO && !isExtended;
            for (final int length : new int[] {0, 1}) {
                all.add(new Case(
                    Messages.data(handle, new byte[length], Messages.descriptor(type, -900)),
                    isUnknown ? Ends.ALWAYS : Ends.NEVER));
            }
            all.add(new Case(Messages.data(handle, "x", Messages.descriptor(type, handle)), Ends.MAYBE));
            all.add(new Case(Messages.data(handle, "x", Messages.descriptor(type, 0)), Ends.ALWAYS));
            all.add(new Case(Messages.data(handle, "x", Messages.descriptor(type, -901), Messages.descriptor(type,
                -901)), Ends.ALWAYS));
        }
        for (final String text : new String[] {"x", ""}) {
            all.add(new Case(
                Messages.data(handle, text, Messages.descriptor(FileDescriptor.Type.TRANSPORTABLE, 0)), Ends.NEVER));
        }
        all.add(new Case(Messages.data(handle, "x",
            FileDescriptor.newBuilder().setTypeValue(99).setHandle(-900).build()), Ends.ALWAYS));
        for (final int reason : new int[] {0, 1, -1, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
            all.add(new Case(VSockMessage.newBuilder()
                .setClose(Close.newBuilder().setHandle(handle).setReason(reason)).build(), Ends.NEVER));
        }
        for (int notice = 0; notice <= 10; notice++) {
            for (final long amount : new long[] {0, 1, Integer.MAX_VALUE, 1L << 31, -1}) {
                for (final int bits : new int[] {0, 1, 1 << 16, -1}) {
                    final boolean isTooMuch = notice == Close.Notice.CREDIT_VALUE && isExtended
                        && (amount < 0 || amount > Integer.MAX_VALUE);
                    all.add(new Case(VSockMessage.newBuilder().setClose(Close.newBuilder().setNoticeValue(notice)
                        .setSubject(handle).setAmount(amount).setBits(bits)).build(),
                        isTooMuch ? Ends.ALWAYS : Ends.NEVER));
                }
            }
        }
        for (final long count : new long[] {0, 1, LONG, -1}) {
            for (final long offset : new long[] {0, 1, Long.MAX_VALUE, -1}) {
                all.add(new Case(Messages.preadRequest(REQUEST_COOKIE, handle, count, offset), Ends.NEVER));
            }
        }
        for (final int length : new int[] {0, 1, LONG}) {
            for (final long offset : new long[] {0, 1, Long.MAX_VALUE, -1}) {
                all.add(new Case(
                    Messages.pwriteRequest(REQUEST_COOKIE, handle, new byte[length], offset), Ends.NEVER));
            }
        }
        for (final int sync : new int[] {0, 1, 2, 99, -1}) {
            all.add(new Case(Messages.fstatRequest(REQUEST_COOKIE, handle, sync), Ends.NEVER));
        }
        for (final long length : new long[] {0, 1, Long.MAX_VALUE, -1}) {
            all.add(new Case(Messages.ftruncateRequest(REQUEST_COOKIE, handle, length), Ends.NEVER));
        }
        // Answers to what the handle's number, as a cookie, may or may not have asked.
        for (final int error : new int[] {0, 5, -1}) {
            all.add(new Case(VSockMessage.newBuilder().setConnectResponse(ConnectResponse.newBuilder()
                .setCookie(handle).setErrorCode(error).setHandle(-902)).build(), Ends.NEVER));
            all.add(new Case(VSockMessage.newBuilder().setPreadResponse(PreadResponse.newBuilder()
                .setCookie(handle).setErrorCode(error).setBlob(ByteString.copyFrom(new byte[LONG]))).build(),
                Ends.NEVER));
            all.add(new Case(VSockMessage.newBuilder().setPwriteResponse(PwriteResponse.newBuilder()
                .setCookie(handle).setErrorCode(error).setBytesWritten(-1)).build(), Ends.NEVER));
            all.add(new Case(VSockMessage.newBuilder().setFstatResponse(FstatResponse.newBuilder()
                .setCookie(handle).setErrorCode(error).setSize(-1)).build(), Ends.NEVER));
            all.add(new Case(VSockMessage.newBuilder().setFtruncateResponse(FtruncateResponse.newBuilder()
                .setCookie(handle).setErrorCode(error)).build(), Ends.NEVER));
        }
        return all;
    }
}
