/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.SplicePipe;
import io.vsockproxy.posix.Syscalls;
import java.util.ArrayDeque;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * The connection to the kernel, /dev/fuse: each read(2) returns one request, each gathering write sends one answer.
 *
 * <pre>
 *   request   0             176              216                256
 *            +-------------+----------------+------------------+----------------------+---------+
 *            | scratch     | fuse_in_header | fuse_write_in    | data of a write      | 4 KiB   |
 *            +-------------+----------------+------------------+----------------------+---------+
 *             |--- a backend may overwrite, during a write ---|  MAX_DATA_LENGTH
 *   reply     0                  16
 *            +------------------+------------------------------+
 *            | fuse_out_header  | a result other than data     |
 *            +------------------+------------------------------+
 * </pre>
 *
 * <p>A request stays in the buffer until the next one is read, unless the buffer is detached. Confined to the loop's
 * thread.
 */
final class FuseChannel implements AutoCloseable {
    /** The most bytes of data in one request. */
    static final int MAX_DATA_LENGTH = 1 << 20;
    /** Where a write's data begins. */
    static final int DATA_OFFSET = 256;
    /** Where a request begins. */
    static final int REQUEST_OFFSET = DATA_OFFSET - FuseInHeader.LENGTH - FuseArguments.WRITE_IN_LENGTH;
    /** Where the arguments of a request begin. */
    static final int ARGUMENTS_OFFSET = REQUEST_OFFSET + FuseInHeader.LENGTH;
    /** Where a result begins. */
    static final int RESULT_OFFSET = FuseOutHeader.LENGTH;

    /**
     * The kernel insists on room for its largest request at every read; requests other than writes are shorter than
     * this.
     */
    private static final int SLACK = 4096;
    private static final int REQUEST_LENGTH = DATA_OFFSET + MAX_DATA_LENGTH + SLACK;
    /** How many detached buffers to keep for reuse. */
    private static final int MAX_SPARE_BUFFERS = 8;
    private static final int REPLY_LENGTH = 256;
    private static final long FILE_POSITION = -1;

    private final OwnedFd device;
    private final ArrayDeque<Memory> spareBuffers = new ArrayDeque<>();
    private final Memory memory = Memory.allocate(REPLY_LENGTH + 2 * IoVec.LENGTH);
    private final UnsafeBuffer reply = new UnsafeBuffer(memory.address(0, REPLY_LENGTH), REPLY_LENGTH);
    private final long iovAddress = memory.address(REPLY_LENGTH, 2 * IoVec.LENGTH);
    private final UnsafeBuffer iov = new UnsafeBuffer(iovAddress, 2 * IoVec.LENGTH);
    private Memory request = Memory.allocate(REQUEST_LENGTH);
    private boolean closed;

    /**
     * @param device /dev/fuse. Takes ownership.
     */
    FuseChannel(final OwnedFd device) {
        this.device = device;
    }

    /** The device, borrowed. */
    int fd() {
        return device.fd();
    }

    /** The buffer with the request read last. */
    Memory request() {
        return request;
    }

    /** Passes the buffer with the request read last to the caller, who must give it back by {@link #recycle}. */
    Memory detachRequest() {
        final Memory detached = request;
        final Memory spare = spareBuffers.pollLast();
        request = spare != null ? spare : Memory.allocate(REQUEST_LENGTH);
        return detached;
    }

    /** Takes back a {@linkplain #detachRequest detached} buffer, or frees any other one. */
    void recycle(final Memory detached) {
        if (closed || detached.length() != REQUEST_LENGTH || spareBuffers.size() >= MAX_SPARE_BUFFERS) {
            detached.close();
        } else {
            spareBuffers.addLast(detached);
        }
    }

    /** The buffer in which a result is assembled, at {@link #RESULT_OFFSET}. */
    UnsafeBuffer reply() {
        return reply;
    }

    /**
     * Reads the next request to {@link #REQUEST_OFFSET}.
     *
     * @return its length in bytes, or {@code -errno}: EAGAIN when there is none now, ENODEV after an unmount.
     */
    int read() {
        final long address = request.address(REQUEST_OFFSET, REQUEST_LENGTH - REQUEST_OFFSET);
        return (int) Syscalls.read(device.fd(), address, REQUEST_LENGTH - REQUEST_OFFSET);
    }

    /**
     * Answers with an error, or with 0.
     *
     * @return as {@link #sendResult}.
     */
    int sendError(final long unique, final int errno) {
        if (closed) {
            return -Errno.ENOTCONN;
        }
        FuseOutHeader.put(reply, 0, unique, errno, 0);
        return send(0, 0, 0);
    }

    /**
     * Answers with the {@code length} bytes in {@link #reply()} at {@link #RESULT_OFFSET}.
     *
     * @return 0, or {@code -errno}: ENOENT when nobody waits for it any more.
     */
    int sendResult(final long unique, final int length) {
        if (closed) {
            return -Errno.ENOTCONN;
        }
        FuseOutHeader.put(reply, 0, unique, 0, length);
        return send(length, 0, 0);
    }

    /** Tells the kernel that whoever polls the open file {@code handle} must look again. */
    void sendWakeUp(final long handle) {
        if (!closed) {
            FuseOutHeader.put(reply, 0, 0, -FuseProtocol.FUSE_NOTIFY_POLL, FuseArguments.WAKE_UP_LENGTH);
            reply.putLong(RESULT_OFFSET, handle);
            send(FuseArguments.WAKE_UP_LENGTH, 0, 0);
        }
    }

    /**
     * Answers with {@code length} bytes of data at {@code address}.
     *
     * @return as {@link #sendResult}; EFAULT (a mapped file was cut) has answered the request with an error.
     */
    int sendData(final long unique, final long address, final int length) {
        if (closed) {
            return -Errno.ENOTCONN;
        }
        FuseOutHeader.put(reply, 0, unique, 0, length);
        return send(0, address, length);
    }

    /**
     * Begins an answer in {@code pipe}, to which {@code length} bytes are to be added. Returns false when the
     * connection is closed, or the pipe cannot take even the beginning.
     */
    boolean beginSplice(final long unique, final SplicePipe pipe, final int length) {
        if (closed) {
            return false;
        }
        FuseOutHeader.put(reply, 0, unique, 0, length);
        return pipe.write(memory.address(0, FuseOutHeader.LENGTH), FuseOutHeader.LENGTH);
    }

    /** Sends an answer that {@link #beginSplice} has begun. What the kernel does not take stays in the pipe. */
    void sendSpliced(final long unique, final SplicePipe pipe) {
        if (!closed) {
            final int sent = pipe.drainTo(device.fd());
            if (sent < 0 && sent != -Errno.ENOENT) {
                sendError(unique, Errno.EIO);
            }
        }
    }

    boolean isClosed() {
        return closed;
    }

    /** Closes the connection: whoever waits in the kernel gets ENOTCONN. Idempotent. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            device.close();
        }
    }

    /** Frees the memory. To be called when no request is being handled any more. Idempotent. */
    void free() {
        reply.wrap(0, 0);
        iov.wrap(0, 0);
        memory.close();
        request.close();
        spareBuffers.forEach(Memory::close);
        spareBuffers.clear();
    }

    private int send(final int resultLength, final long address, final int length) {
        IoVec.set(iov, 0, memory.address(0, REPLY_LENGTH), FuseOutHeader.LENGTH + resultLength);
        IoVec.set(iov, 1, address, length);
        final long written =
            Syscalls.pwritev2(device.fd(), iovAddress, length > 0 ? 2 : 1, FILE_POSITION, 0);
        return (int) Math.min(0, written);
    }
}
