/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.file.FileResponses;

/**
 * Puts the file server's answers into messages.
 */
final class FileAnswers implements FileResponses {
    private final Outbox outbox;

    FileAnswers(final Outbox outbox) {
        this.outbox = outbox;
    }

    @Override
    public boolean claimRead(final int length) {
        return outbox.claimBlob(Math.max(1, length), Math.max(1, length), false) > 0;
    }

    @Override
    public long readAddress() {
        return outbox.blobAddress();
    }

    @Override
    public void commitRead(final long cookie, final int length) {
        outbox.sendPreadData(cookie, length);
    }

    @Override
    public void abortRead() {
        outbox.abortBlob();
    }

    @Override
    public void readFailed(final long cookie, final int errno) {
        outbox.sendPreadError(cookie, errno);
    }

    @Override
    public void written(final long cookie, final int errno, final long bytes) {
        outbox.sendPwriteResponse(cookie, errno, bytes);
    }

    @Override
    public void examined(final long cookie, final int errno, final long size) {
        outbox.sendFstatResponse(cookie, errno, size);
    }

    @Override
    public void truncated(final long cookie, final int errno) {
        outbox.sendFtruncateResponse(cookie, errno);
    }
}
