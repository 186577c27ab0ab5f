/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.PollEvents;
import io.vsockproxy.posix.Syscalls;
import java.util.concurrent.locks.LockSupport;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Opens files of the mount that its own process serves, and sends their descriptors to the loop.
 *
 * <pre>
 *    0                   4                   8
 *   +-------------------+-------------------+--------------------- - -
 *   | sequence number   | flags of open(2)  | path, ends in NUL           a request
 *   +-------------------+-------------------+--------------------- - -
 *   | sequence number   | result            |                             its answer; int32, native order
 *   +-------------------+-------------------+
 * </pre>
 *
 * <p>The answer has the sequence number of the request. With it comes the descriptor, or its result is {@code -errno}.
 * Each request is answered; if not even an errno can be sent, the thread ends, so that nobody waits for ever.
 *
 * <p>It has a descriptor table of its own, which contains one end of a socket and the standard streams. A thread that
 * waits for the answer to a request that has been read from /dev/fuse keeps waiting even when killed
 * (request_wait_answer in the kernel's fs/fuse/dev.c), until /dev/fuse is closed. If /dev/fuse were in a table that the
 * waiting thread shares, it would not be closed before that thread had ended: a killed process would stay for ever,
 * with its link and everything else open.
 *
 * <p>It uses everything it needs once before it leaves the shared table, because a class could not be loaded
 * afterwards. Where close_range(2) is refused, it stays in the shared table.
 */
final class FileOpenerThread extends Thread {
    /** Offset of the sequence number in a request and in its answer. */
    static final int SEQUENCE_OFFSET = 0;

    /** Offset of the flags for open(2) in a request. */
    static final int FLAGS_OFFSET = Integer.BYTES;

    /** Offset of the path, which ends in NUL, in a request. */
    static final int PATH_OFFSET = 2 * Integer.BYTES;

    /** Length of the longest request, with a path of PATH_MAX. */
    static final int REQUEST_LENGTH = PATH_OFFSET + 4096;

    /** Offset of the result in an answer. */
    static final int RESULT_OFFSET = Integer.BYTES;

    /** Length of an answer. */
    static final int ANSWER_LENGTH = 2 * Integer.BYTES;

    /** The answer to the first request, in place of a descriptor. */
    static final int HAS_OWN_TABLE = 1;

    private static final String NAME = "vsock-proxy-opener";
    private static final int SHARES_TABLE = 2;
    private static final int FIRST_AFTER_STANDARD_STREAMS = 3;
    private static final int LAST = -1;
    private static final int ANSWER_OFFSET = REQUEST_LENGTH;
    private static final int DESCRIPTOR_OFFSET = ANSWER_OFFSET + ANSWER_LENGTH;
    private static final int PIECE_OFFSET = DESCRIPTOR_OFFSET + Integer.BYTES;
    /**
     * When to retry while too many descriptors of this user are in flight, and for how long: about five seconds, half
     * as long as a reader may hold up the link.
     */
    private static final long RETRY_NS = 10_000_000;
    private static final int MAX_RETRIES = 500;

    private final int socket;
    private final Memory memory = Memory.allocate(PIECE_OFFSET + IoVec.LENGTH);
    private final long pathAddress = memory.address(PATH_OFFSET, REQUEST_LENGTH - PATH_OFFSET);
    private final int forgetFlags = Constants.O_PATH | Constants.O_NOFOLLOW | Constants.O_CLOEXEC;
    private final int tooManyInFlight = -Errno.ETOOMANYREFS;

    /**
     * @param socket a SEQPACKET socket, which this thread closes (in its own table, if it gets one).
     */
    FileOpenerThread(final int socket) {
        super(NAME);
        this.socket = socket;
        setDaemon(true);
        IoVec.set(
            new UnsafeBuffer(memory.buffer(), PIECE_OFFSET, IoVec.LENGTH), 0,
            memory.address(ANSWER_OFFSET, ANSWER_LENGTH), ANSWER_LENGTH);
    }

    @Override
    public void run() {
        try {
            if (receive()) {
                final int opened = open();
                close(opened);
                awaitRetry();
                send(leaveSharedTable() ? HAS_OWN_TABLE : SHARES_TABLE, 0);
            }
            boolean answered = true;
            while (answered && receive()) {
                final int opened = open();
                answered = answer(opened);
                close(opened);
                if (answered && opened >= 0) {
                    forgetName();
                }
            }
        } finally {
            Syscalls.close(socket);
            memory.close();
        }
    }

    private boolean receive() {
        return Syscalls.recv(socket, memory.address(), REQUEST_LENGTH, 0) > 0;
    }

    private int open() {
        return Syscalls.open(pathAddress, memory.buffer().getInt(FLAGS_OFFSET), 0);
    }

    /**
     * Sends the descriptor, or {@code -errno}: of the open, or why the descriptor cannot be sent. Returns false when
     * nothing can be sent, as when the loop's end is closed.
     */
    private boolean answer(final int opened) {
        if (opened < 0) {
            return send(opened, 0) >= 0;
        }
        int sent = send(opened, 1);
        for (int i = 0; sent == tooManyInFlight && i < MAX_RETRIES && awaitRetry(); i++) {
            sent = send(opened, 1);
        }
        return sent >= 0 || send(sent, 0) >= 0;
    }

    private int send(final int result, final int descriptorCount) {
        memory.buffer().putInt(ANSWER_OFFSET + SEQUENCE_OFFSET, memory.buffer().getInt(SEQUENCE_OFFSET));
        memory.buffer().putInt(ANSWER_OFFSET + RESULT_OFFSET, result);
        memory.buffer().putInt(DESCRIPTOR_OFFSET, result);
        return Syscalls.sendmsg(
            socket, memory.address(PIECE_OFFSET, IoVec.LENGTH), 1, Constants.MSG_NOSIGNAL,
            memory.address(DESCRIPTOR_OFFSET, Integer.BYTES), descriptorCount);
    }

    /** Waits until it is time to retry. Returns false when the loop's end is closed: sending would not tell. */
    private boolean awaitRetry() {
        LockSupport.parkNanos(RETRY_NS);
        return (Syscalls.poll(socket, 0) & PollEvents.HANG_UP) == 0;
    }

    /**
     * Looks the name up once more, which fails. The kernel then drops the directory entry, which it would otherwise
     * keep until memory runs short, and so forgets the file when that is closed.
     */
    private void forgetName() {
        close(Syscalls.open(pathAddress, forgetFlags, 0));
    }

    private boolean leaveSharedTable() {
        if (socket > FIRST_AFTER_STANDARD_STREAMS
            && Syscalls.closeRange(FIRST_AFTER_STANDARD_STREAMS, socket - 1, Constants.CLOSE_RANGE_UNSHARE) < 0) {
            return false;
        }
        // When the first call has unshared the table, this flag has no further effect.
        return Syscalls.closeRange(socket + 1, LAST, Constants.CLOSE_RANGE_UNSHARE) >= 0;
    }

    private static void close(final int fd) {
        if (fd >= 0) {
            Syscalls.close(fd);
        }
    }
}
