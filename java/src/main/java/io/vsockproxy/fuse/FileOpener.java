/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.loop.EndOfTurnTask;
import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.loop.Registration;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;

/**
 * Has a {@link FileOpenerThread} open files of the mount. The loop cannot do so itself: it would wait for its own
 * answer to the LOOKUP.
 *
 * <p>Requests and answers are packets on a socket, because that thread has its own descriptor table. Answers come in
 * the order of the requests, and with their sequence numbers: an answer that is not the one expected would be another
 * application's file, so it is not used, and the thread no longer is. Confined to the loop's thread.
 */
final class FileOpener implements AutoCloseable {
    private static final Logger LOGGER = System.getLogger(FileOpener.class.getName());
    /** How many requests and answers fit into a socket of the usual size. */
    private static final int MAX_HANDED_OVER = 32;
    private static final int CONTROL_OFFSET = FileOpenerThread.REQUEST_LENGTH;
    /** A file that always exists. */
    private static final String WARM_UP_PATH = "/dev/null";

    private final EventLoop loop;
    private final OwnedFd socket;
    private final Memory memory = Memory.allocate(CONTROL_OFFSET + ControlData.LENGTH);
    private final ControlData control = new ControlData(memory, CONTROL_OFFSET);
    private final ArrayDeque<PendingOpen> waiting = new ArrayDeque<>();
    private final ArrayDeque<PendingOpen> handedOver = new ArrayDeque<>();
    /**
     * Requests that cannot be sent. They are completed at the end of the turn, because the caller may be in the middle
     * of something.
     */
    private final ArrayDeque<PendingOpen> failed = new ArrayDeque<>();
    private final EndOfTurnTask failTask = new EndOfTurnTask() {
        @Override
        protected void run() {
            while (!closed && !failed.isEmpty()) {
                failed.poll().complete(-Errno.EIO);
            }
        }
    };
    private Registration registration;
    /** Of the next request. Those handed over have the numbers before it. */
    private int nextSequence;
    private boolean threadLost;
    private boolean closed;

    /**
     * @param socket leads to the thread. Takes ownership.
     */
    private FileOpener(final EventLoop loop, final OwnedFd socket) {
        this.loop = loop;
        this.socket = socket;
    }

    /**
     * Starts the thread and waits until it has its own descriptor table.
     *
     * @throws MountException when too few descriptors are left.
     */
    static FileOpener start(final EventLoop loop) {
        final OwnedFd own;
        final OwnedFd others;
        try (Memory pair = Memory.allocate(2 * Integer.BYTES)) {
            PosixException.check(
                Syscalls.socketpair(
                    Constants.AF_UNIX, Constants.SOCK_SEQPACKET | Constants.SOCK_CLOEXEC, 0, pair.address()),
                "socketpair");
            own = OwnedFd.of(pair.buffer().getInt(0));
            others = OwnedFd.of(pair.buffer().getInt(Integer.BYTES));
        }
        new FileOpenerThread(others.fd()).start();
        final FileOpener opener = new FileOpener(loop, own);
        opener.send(0, WARM_UP_PATH, Constants.O_RDONLY, 0);
        if (opener.receive(0) > 0 && opener.result() == FileOpenerThread.HAS_OWN_TABLE) {
            others.close();
        } else {
            // The tables are shared: it is the same descriptor that the thread uses and will close.
            others.release();
        }
        opener.register();
        return opener;
    }

    /**
     * One whose requests go to whoever has the other end of {@code socket}, which it takes ownership of.
     *
     * @throws PosixException as {@link #start}.
     */
    static FileOpener of(final EventLoop loop, final OwnedFd socket) {
        final FileOpener opener = new FileOpener(loop, socket);
        opener.register();
        return opener;
    }

    /** Has the file opened, and calls {@link PendingOpen#complete} later, unless {@link #close} comes first. */
    void open(final PendingOpen pending) {
        waiting.add(pending);
        handOver();
    }

    /** Ends the thread. Requests under way will not be completed. Idempotent. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            registration.cancel();
            socket.close();
            memory.close();
        }
    }

    private void register() {
        try {
            registration = loop.register(socket.fd(), Constants.EPOLLIN, events -> onReady());
        } catch (final PosixException e) {
            // Closing this end ends the thread too.
            socket.close();
            memory.close();
            throw e;
        }
    }

    private void handOver() {
        while (!waiting.isEmpty() && handedOver.size() < MAX_HANDED_OVER) {
            final PendingOpen next = waiting.peek();
            final int sent = threadLost ? -Errno.EPIPE : send(
                nextSequence, next.path(), next.flags(), Constants.MSG_DONTWAIT | Constants.MSG_NOSIGNAL);
            if (sent == -Errno.EAGAIN && !handedOver.isEmpty()) {
                return;
            }
            waiting.poll();
            if (sent >= 0) {
                nextSequence++;
                handedOver.add(next);
            } else {
                fail(next);
            }
        }
    }

    private void fail(final PendingOpen pending) {
        failed.add(pending);
        loop.atEndOfTurn(failTask);
    }

    /** The thread has ended or cannot be relied on any more: nothing that it may still answer is used. */
    private void onThreadLost(final String reason) {
        LOGGER.log(Level.ERROR, "files that are passed from now on cannot be opened on the mount, until the proxy is "
            + "restarted: the thread that opens them is lost ({0})", reason);
        threadLost = true;
        registration.cancel();
        socket.close();
        handedOver.forEach(this::fail);
        handedOver.clear();
        handOver();
    }

    private int send(final int sequence, final String path, final int flags, final int sendFlags) {
        final byte[] bytes = path.getBytes(StandardCharsets.UTF_8);
        final int length = FileOpenerThread.PATH_OFFSET + bytes.length + 1;
        if (length > FileOpenerThread.REQUEST_LENGTH) {
            return -Errno.ENAMETOOLONG;
        }
        memory.buffer().putInt(FileOpenerThread.SEQUENCE_OFFSET, sequence);
        memory.buffer().putInt(FileOpenerThread.FLAGS_OFFSET, flags | Constants.O_CLOEXEC);
        memory.buffer().putBytes(FileOpenerThread.PATH_OFFSET, bytes);
        memory.buffer().putByte(length - 1, (byte) 0);
        return Syscalls.send(socket.fd(), memory.address(0, length), length, sendFlags);
    }

    private void onReady() {
        int received = receive(Constants.MSG_DONTWAIT);
        for (; received > 0 && isExpected(received); received = closed ? 0 : receive(Constants.MSG_DONTWAIT)) {
            final PendingOpen pending = handedOver.poll();
            if (control.count() > 0) {
                final int descriptor = control.descriptor(0);
                control.clear();
                pending.complete(descriptor);
            } else {
                pending.complete(control.isTruncated() ? -Errno.EMFILE : result());
            }
        }
        if (closed) {
            return;
        }
        if (received == -Errno.EAGAIN) {
            handOver();
        } else if (received > 0) {
            control.closeAll();
            onThreadLost("an unexpected answer");
        } else {
            onThreadLost(received == 0 ? "it has ended" : Errno.name(-received));
        }
    }

    /** Whether what was received answers the request that was handed over first. */
    private boolean isExpected(final int length) {
        return length == FileOpenerThread.ANSWER_LENGTH && !handedOver.isEmpty()
            && memory.buffer().getInt(FileOpenerThread.SEQUENCE_OFFSET) == nextSequence - handedOver.size()
            && (control.count() > 0 || control.isTruncated() || result() < 0);
    }

    /** Receives an answer. Returns its length in bytes, 0 when the thread has ended, or {@code -errno}. */
    private int receive(final int flags) {
        return Syscalls.recvmsg(
            socket.fd(), memory.address(), FileOpenerThread.ANSWER_LENGTH, flags | Constants.MSG_CMSG_CLOEXEC,
            control.address());
    }

    private int result() {
        return memory.buffer().getInt(FileOpenerThread.RESULT_OFFSET);
    }
}
