/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.fuse.FuseRequest;
import io.vsockproxy.posix.SplicePipe;
import org.agrona.DirectBuffer;

/**
 * What to do with an owner's answer to a request that was made for the kernel: pass it on to the kernel. The context of
 * each is the kernel's {@link FuseRequest}.
 */
final class KernelAnswers {
    /** To a read: the bytes go to the kernel straight from the inbound buffer, or through the link's pipe. */
    static final RemoteFileRequests.SplicedCompletion READ = new Read();
    /** To a write. */
    static final RemoteFileRequests.Completion WRITE = KernelAnswers::onWritten;
    /** To a write that had to be made durable: the count of bytes is the request's tag. */
    static final RemoteFileRequests.AttributesCompletion DURABLE_WRITE = (context, errno, attributes) -> {
        final FuseRequest request = (FuseRequest) context;
        if (errno != 0) {
            request.replyError(errno);
        } else {
            request.replyWritten((int) request.tag());
        }
    };
    static final RemoteFileRequests.AttributesCompletion ATTRIBUTES = (context, errno, attributes) -> {
        final FuseRequest request = (FuseRequest) context;
        if (errno != 0) {
            request.replyError(errno);
        } else {
            request.replyAttributes(attributes);
        }
    };
    static final RemoteFileRequests.AttributesCompletion SYNC =
        (context, errno, attributes) -> replyDone((FuseRequest) context, errno);
    static final RemoteFileRequests.Completion TRUNCATE =
        (context, errno, value, buffer, offset, length) -> replyDone((FuseRequest) context, errno);

    private KernelAnswers() {
    }

    private static void onWritten(
        final Object context,
        final int errno,
        final long value,
        final DirectBuffer buffer,
        final int offset,
        final int length) {
        final FuseRequest request = (FuseRequest) context;
        if (errno != 0) {
            request.replyError(errno);
        } else {
            request.replyWritten((int) Math.max(-1, Math.min(value, Integer.MAX_VALUE)));
        }
    }

    private static void replyDone(final FuseRequest request, final int errno) {
        if (errno != 0) {
            request.replyError(errno);
        } else {
            request.replySuccess();
        }
    }

    private static final class Read implements RemoteFileRequests.SplicedCompletion {
        @Override
        public void onAnswer(
            final Object context,
            final int errno,
            final long value,
            final DirectBuffer buffer,
            final int offset,
            final int length) {
            final FuseRequest request = (FuseRequest) context;
            if (errno != 0) {
                request.replyError(errno);
            } else {
                request.replyData(buffer.addressOffset() + offset, length);
            }
        }

        @Override
        public boolean beginSplice(final Object context, final SplicePipe pipe, final int length) {
            return ((FuseRequest) context).beginSplice(pipe, length);
        }

        @Override
        public void onSpliced(final Object context, final SplicePipe pipe) {
            ((FuseRequest) context).replySpliced(pipe);
        }
    }
}
