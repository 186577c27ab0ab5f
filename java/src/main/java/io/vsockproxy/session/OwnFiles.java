/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.counters.CounterId;
import io.vsockproxy.counters.CounterValues;
import io.vsockproxy.file.FifoServer;
import io.vsockproxy.file.FileLimits;
import io.vsockproxy.file.FileRelay;
import io.vsockproxy.file.FileServer;
import io.vsockproxy.file.LocalFifo;
import io.vsockproxy.file.LocalFile;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.DescriptorReserve;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PollEvents;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.wire.Command;
import io.vsockproxy.wire.MessageDecoder;
import io.vsockproxy.wire.Notice;
import io.vsockproxy.wire.Sync;

/**
 * The files of this side that a session has passed to the peer, by handle: regular files, and FIFOs that are open for
 * reading and writing. Handles the peer's requests about them. Confined to the loop's thread.
 */
final class OwnFiles {
    /** A flag in the offset of requests to a FIFO: fail with EAGAIN instead of waiting. */
    private static final long DONT_WAIT = 1;

    private final PeerExtension extension;
    private final Outbox outbox;
    private final StreamTable streams;
    private final DescriptorReserve reserve;
    private final HandleTable<LocalFile> files = new HandleTable<>();
    private final HandleTable<LocalFifo> fifos = new HandleTable<>();
    private final FileServer fileServer;
    private final FifoServer fifoServer;

    OwnFiles(
        final SessionResources resources,
        final Session session,
        final Outbox outbox,
        final StreamTable streams,
        final PeerExtension extension) {
        this.extension = extension;
        this.outbox = outbox;
        this.streams = streams;
        reserve = resources.commons().reserve();
        final FileAnswers answers = new FileAnswers(session, outbox, extension::isAgreed);
        final FileLimits limits = FileLimits.of(resources.limits());
        fileServer = new FileServer(resources.workers(), resources.windows(), answers, limits);
        fifoServer = new FifoServer(
            resources.loop(), answers, this::sendReady, limits, reserve, session::hasEnded);
    }

    /** How many handles there are. */
    int size() {
        return files.size() + fifos.size();
    }

    void addTo(final CounterValues values) {
        values.add(CounterId.LOCAL_FILE_HANDLES, size());
        values.add(CounterId.FILE_DESCRIPTORS, files.size() + LocalFifo.DESCRIPTOR_COUNT * fifos.size());
    }

    /** Whether every request has been answered, except those that wait for a FIFO. */
    boolean isIdle() {
        return fileServer.isIdle();
    }

    /** Keeps a file. Takes ownership. */
    void add(final long handle, final LocalFile file) {
        files.put(handle, file);
    }

    /** Whether {@link #addFifo} would succeed with {@code fd}: 0, or an errno. Borrows it. */
    int checkFifo(final int fd) {
        return fifoServer.check(fd);
    }

    /** Keeps a FIFO; false when that is not possible. Takes ownership. */
    boolean addFifo(final long handle, final OwnedFd descriptor) {
        final LocalFifo fifo = fifoServer.open(handle, descriptor);
        if (fifo == null) {
            return false;
        }
        fifos.put(handle, fifo);
        return true;
    }

    /**
     * A duplicate of the descriptor that the application had passed under {@code handle}, which the caller owns; or
     * {@code -errno}.
     */
    int duplicateFifo(final long handle) {
        final LocalFifo fifo = fifos.get(handle);
        if (fifo == null) {
            return -Errno.EBADF;
        }
        return reserve.keep(Syscalls.fcntl(fifo.originalFd(), Constants.F_DUPFD_CLOEXEC, 0));
    }

    /** The peer no longer uses {@code handle}: closes the file. Returns whether there was one. */
    boolean onClosed(final long handle) {
        final LocalFile file = files.remove(handle);
        if (file != null) {
            fileServer.close(file);
            return true;
        }
        final LocalFifo fifo = fifos.remove(handle);
        if (fifo != null) {
            fifoServer.close(fifo);
        }
        return fifo != null;
    }

    /** There is room on the link again. */
    void onRoom() {
        fileServer.onRoom();
        fifoServer.onRoom();
    }

    /** The peer's notice that a request to a FIFO is to wait no longer. */
    void cancel(final long cookie) {
        fifoServer.cancel(cookie);
    }

    /** The peer's notice that asks whether a FIFO can be read or written. */
    void watch(final long handle, final long token, final int bits) {
        final LocalFifo fifo = fifos.get(handle);
        if (fifo == null) {
            sendReady(handle, token, PollEvents.ERROR | PollEvents.HANG_UP);
        } else {
            fifoServer.watch(fifo, token, bits, (bits & Notice.WAKE) != 0);
        }
    }

    void onRequest(final MessageDecoder message) {
        final LocalFile file = files.get(message.handle());
        final LocalFifo fifo = file == null ? fifos.get(message.handle()) : null;
        if (file != null) {
            ask(file, message);
        } else if (fifo != null) {
            ask(fifo, message);
        } else {
            refuse(message);
        }
    }

    /** The session has ended, and its link is closed. */
    void close() {
        fileServer.close();
        files.forEach(fileServer::abandon);
        files.clear();
        fifos.forEach(fifoServer::abandon);
        fifos.clear();
        fifoServer.close();
    }

    private void ask(final LocalFile file, final MessageDecoder message) {
        final long cookie = message.cookie();
        switch (message.command()) {
            case Command.PREAD_REQUEST -> fileServer.read(file, cookie, message.count(), message.fileOffset());
            case Command.PWRITE_REQUEST -> {
                if (message.fileOffset() == FileRelay.END_OF_FILE && !extension.isAgreed()) {
                    outbox.sendPwriteResponse(cookie, Errno.EINVAL, 0);
                } else {
                    fileServer.write(file, cookie, message.buffer(), message.blobOffset(), message.blobLength(),
                        message.fileOffset());
                }
            }
            case Command.FSTAT_REQUEST -> {
                if (message.sync() == Sync.NONE || !extension.isAgreed()) {
                    fileServer.examine(file, cookie);
                } else {
                    fileServer.sync(file, cookie, message.sync() == Sync.DATA);
                }
            }
            default -> fileServer.truncate(file, cookie, message.length());
        }
    }

    private void ask(final LocalFifo fifo, final MessageDecoder message) {
        final long cookie = message.cookie();
        final boolean nonBlocking = (message.fileOffset() & DONT_WAIT) != 0;
        switch (message.command()) {
            case Command.PREAD_REQUEST -> fifoServer.read(fifo, cookie, message.count(), nonBlocking);
            case Command.PWRITE_REQUEST -> fifoServer.write(fifo, cookie, message.buffer(), message.blobOffset(),
                message.blobLength(), nonBlocking);
            case Command.FSTAT_REQUEST -> fifoServer.examine(fifo, cookie);
            default -> outbox.sendFtruncateResponse(cookie, Errno.EINVAL);
        }
    }

    private void refuse(final MessageDecoder message) {
        final long cookie = message.cookie();
        final boolean isStream = streams.get(message.handle()) != null;
        switch (message.command()) {
            case Command.PREAD_REQUEST -> outbox.sendPreadError(cookie, isStream ? Errno.ESPIPE : Errno.EBADF);
            case Command.PWRITE_REQUEST ->
                outbox.sendPwriteResponse(cookie, isStream ? Errno.ESPIPE : Errno.EBADF, 0);
            case Command.FSTAT_REQUEST ->
                outbox.sendFstatResponse(cookie, isStream ? Errno.EINVAL : Errno.EBADF, 0);
            default -> outbox.sendFtruncateResponse(cookie, isStream ? Errno.EINVAL : Errno.EBADF);
        }
    }

    private void sendReady(final long handle, final long token, final int events) {
        extension.sendFifoNotice(Notice.READY, handle, token, events);
    }
}
