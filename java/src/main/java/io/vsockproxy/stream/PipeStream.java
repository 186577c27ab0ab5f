/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.loop.EndOfTurnTask;
import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Paths;
import org.agrona.DirectBuffer;
import org.agrona.UnsafeApi;

/**
 * One end of a pipe or FIFO, read or written.
 *
 * <p>Pipes have no MSG_DONTWAIT, and setting O_NONBLOCK would affect the application's copy of the descriptor too. So
 * each call uses RWF_NOWAIT. Where the kernel does not support that (FIFOs with a name, and all pipes before Linux
 * 6.4), the pipe is opened once more, which creates an open file description of our own that can be non-blocking.
 *
 * <p>In packet mode (O_DIRECT, set by whoever writes), a read shorter than the next packet loses the rest of the
 * packet. So a read here always asks for at least the longest packet. What is written here is never in packet mode: one
 * write could join the bytes of several of the original's packets, and a reader that asks for no more than one of those
 * would lose the rest.
 */
public final class PipeStream extends DescriptorStream {
    /** The longest packet of a pipe, in bytes: a page. */
    static final int MAX_PACKET_LENGTH = UnsafeApi.pageSize();
    private static final int MIN_ROOM = Math.max(StreamCommons.MIN_READ_LENGTH, MAX_PACKET_LENGTH);

    private final boolean reader;
    private final int readLength;
    private final EndOfTurnTask look = new EndOfTurnTask() {
        @Override
        protected void run() {
            if (isOpen() && (registration.interest() & Constants.EPOLLIN) != 0) {
                read(Constants.EPOLLIN);
            }
        }
    };
    private int callFlags = Constants.RWF_NOWAIT;

    /**
     * @param kind       PIPE_READER or PIPE_WRITER.
     * @param descriptor that end of the pipe. Takes ownership.
     * @param readLength the most bytes to read at once, and roughly in one turn of the loop.
     */
    public PipeStream(
        final EventLoop loop,
        final StreamKind kind,
        final long handle,
        final OwnedFd descriptor,
        final int readLength,
        final StreamCommons commons,
        final StreamHandler handler) {
        super(loop, kind, handle, descriptor, commons, handler);
        this.reader = kind == StreamKind.PIPE_READER;
        this.readLength = Math.max(readLength, MAX_PACKET_LENGTH);
    }

    @Override
    public void start() {
        super.start();
        if (!reader && (commons.inspector().statusFlags(descriptor.fd()) & Constants.O_DIRECT) != 0) {
            reopen();
        }
    }

    @Override
    public boolean isWritable() {
        return !reader;
    }

    @Override
    int readInterest() {
        return reader ? Constants.EPOLLIN : 0;
    }

    @Override
    void read(final int events) {
        int left = readLength;
        boolean more;
        do {
            final int count = readOnce();
            left -= count;
            // A FIFO that was reopened after its last writer had gone never reports EPOLLHUP: only reading finds its
            // end.
            more = count > 0 && callFlags == 0 && isOpen();
        } while (more && left > 0);
        // Now others have their turn. Epoll will report again if there is more, but not if this was the last of such a
        // FIFO. One more read is enough: if it finds something after all, there is a writer again, and EPOLLHUP will
        // come.
        if (more && commons.unreadBytes(descriptor.fd()) == 0) {
            readOnce();
        }
    }

    @Override
    void onReadingResumed() {
        if (reader && callFlags == 0) {
            // Reading may have been paused when only the end was left to be found, which epoll does not report.
            loop.atEndOfTurn(look);
        }
    }

    /** Reads once. Returns how many bytes were read; 0 if none were, for whatever reason. */
    private int readOnce() {
        final int allowed = allowed(readLength);
        if (allowed == 0) {
            return 0;
        }
        final int maximum = Math.max(allowed, MAX_PACKET_LENGTH);
        final int room = handler.claim(this, Math.min(maximum, MIN_ROOM), maximum);
        if (room == 0) {
            pauseReading();
            return 0;
        }
        long count = commons.read(descriptor.fd(), handler.claimedAddress(), room, callFlags);
        if (count == -Errno.EOPNOTSUPP && reopen()) {
            count = commons.read(descriptor.fd(), handler.claimedAddress(), room, callFlags);
        }
        if (count > 0) {
            spend((int) count);
            handler.commit(this, (int) count, null);
            return (int) count;
        }
        handler.abort();
        if (count != -Errno.EAGAIN) {
            end((int) -count);
        }
        return 0;
    }

    @Override
    void deliverNow(final DirectBuffer buffer, final int offset, final int length, final int[] descriptors) {
        closeAll(descriptors);
        if (length == 0) {
            return;
        }
        IoVec.set(commons.pieces(), 0, buffer.addressOffset() + offset, length);
        final long written = write(1);
        if (written >= 0 || written == -Errno.EAGAIN) {
            final int done = (int) Math.max(0, written);
            acknowledge(done);
            if (done < length) {
                enqueue(buffer, offset + done, length - done, descriptors.length == 0 ? descriptors : new int[0]);
            }
        } else {
            end((int) -written);
        }
    }

    @Override
    boolean drain() {
        while (!queue.isEmpty() && queue.isFirstReady()) {
            final int offered = queue.firstLength();
            final int pieces = queue.gather(commons.pieces());
            final long written = write(pieces);
            if (written < 0) {
                if (written == -Errno.EAGAIN) {
                    return true;
                }
                end((int) -written);
                return false;
            }
            taken((int) written);
            if (written < offered) {
                return true;
            }
        }
        return true;
    }

    @Override
    void onReaderGone() {
        end(Errno.EPIPE);
    }

    private long write(final int pieces) {
        final long written = commons.write(descriptor.fd(), pieces, callFlags);
        if (written == -Errno.EOPNOTSUPP && reopen()) {
            return commons.write(descriptor.fd(), pieces, callFlags);
        }
        return written;
    }

    /** Replaces the descriptor with a non-blocking one for the same pipe. */
    private boolean reopen() {
        if (callFlags == 0) {
            return false;
        }
        final int access = reader ? Constants.O_RDONLY : Constants.O_WRONLY;
        final int result = Paths.open(
            "/proc/self/fd/" + descriptor.fd(), access | Constants.O_NONBLOCK | Constants.O_CLOEXEC);
        if (result < 0) {
            return false;
        }
        final int interest = registration.interest();
        registration.cancel();
        descriptor.close();
        descriptor = OwnedFd.of(result);
        callFlags = 0;
        registration = loop.register(result, interest, this);
        return true;
    }
}
