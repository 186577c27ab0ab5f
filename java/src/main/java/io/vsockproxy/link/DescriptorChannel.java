/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.link;

import io.vsockproxy.loop.EndOfTurnTask;
import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.loop.Registration;
import io.vsockproxy.loop.Timer;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;

/**
 * A unix-socket connection beside a link that cannot carry descriptors: one byte with one descriptor each, in the order
 * of the entries that list them in the link's frames.
 *
 * <p>The frame and the descriptor may arrive in either order: each {@link #receive} takes the next descriptor, at once
 * or when it arrives. If one does not arrive in time, or anything breaks the pairing, the channel fails, and with it
 * every receiver that waits; the link does not. Owns the socket and the descriptors in transit. Confined to the loop's
 * thread.
 */
public final class DescriptorChannel implements AutoCloseable {
    private static final Logger LOGGER = System.getLogger(DescriptorChannel.class.getName());
    /** How many descriptors may wait for their frames; with so many, the socket is no longer read. */
    private static final int MAX_EARLY = ControlData.MAX_DESCRIPTORS;
    /** How many entries may wait for their descriptors. */
    private static final int MAX_AWAITED = 4096;
    /** When to retry after a {@linkplain Errno#isShortage shortage}. */
    private static final long RETRY_NS = TimeUnit.MILLISECONDS.toNanos(10);
    private static final int RECEIVE_FLAGS = Constants.MSG_DONTWAIT | Constants.MSG_CMSG_CLOEXEC;
    private static final int SEND_FLAGS = Constants.MSG_DONTWAIT | Constants.MSG_NOSIGNAL;

    /** Waits for one descriptor. Exactly one of these methods is called, once. */
    public interface Receiver {
        /** The descriptor has arrived. Takes ownership. */
        void onDescriptor(OwnedFd descriptor);

        /** The descriptor will not arrive. */
        void onLost(String reason);
    }

    private final EventLoop loop;
    private final String name;
    private final long timeoutNs;
    private final Memory memory = Memory.allocate(IoVec.LENGTH + Long.BYTES + ControlData.LENGTH);
    private final long iov = memory.address(0, IoVec.LENGTH);
    private final long byteAddress = memory.address(IoVec.LENGTH, 1);
    private final long outgoingFdAddress = memory.address(IoVec.LENGTH + Integer.BYTES, Integer.BYTES);
    private final ControlData control = new ControlData(memory, IoVec.LENGTH + Long.BYTES);
    private final ReceivedDescriptors early = new ReceivedDescriptors();
    private final ArrayDeque<Receiver> awaiting = new ArrayDeque<>();
    private final ArrayDeque<OwnedFd> outgoing = new ArrayDeque<>();
    private final Timer overdue = new Timer(this::onOverdue);
    private final Timer retry = new Timer(this::flush);
    private final EndOfTurnTask flushTask = new EndOfTurnTask() {
        @Override
        protected void run() {
            flush();
        }
    };
    private OwnedFd socket;
    private Registration registration;
    private String failure;

    /**
     * Creates a channel without a socket: whatever is sent or awaited waits for {@link #attach}.
     *
     * @param name      for the log.
     * @param timeoutNs how long an entry may wait for its descriptor, in ns.
     */
    public DescriptorChannel(final EventLoop loop, final String name, final long timeoutNs) {
        this.loop = loop;
        this.name = name;
        this.timeoutNs = timeoutNs;
        IoVec.set(memory.buffer(), 0, byteAddress, 1);
    }

    /** Gives the channel its connection to the other side. Takes ownership. */
    public void attach(final OwnedFd connected) {
        if (failure != null || socket != null) {
            connected.close();
            return;
        }
        try {
            registration = loop.register(connected.fd(), Constants.EPOLLIN, this::onReady);
        } catch (final PosixException e) {
            connected.close();
            fail(e.getMessage());
            return;
        }
        socket = connected;
        flush();
    }

    /** Whether it has a connection. */
    public boolean isAttached() {
        return socket != null;
    }

    /** How many descriptors it holds open: its socket and those in transit. */
    public int descriptorCount() {
        return (socket == null ? 0 : 1) + outgoing.size() + early.size();
    }

    /** Whether everything has been sent. */
    public boolean isIdle() {
        return outgoing.isEmpty();
    }

    /** Why the channel has failed or ended; null while it works. */
    public String failure() {
        return failure;
    }

    /** Sends a descriptor, after those sent before. Takes ownership. The caller must limit how many wait. */
    public void send(final OwnedFd descriptor) {
        if (failure != null) {
            descriptor.close();
            return;
        }
        outgoing.add(descriptor);
        if (outgoing.size() == 1) {
            // Not now: if sending failed, receivers would be called while the caller is in the middle of a frame.
            loop.atEndOfTurn(flushTask);
        }
    }

    /**
     * Gives {@code receiver} the next descriptor, after all earlier receivers have theirs; possibly before this
     * returns.
     */
    public void receive(final Receiver receiver) {
        if (failure == null && awaiting.size() >= MAX_AWAITED) {
            fail(awaiting.size() + " descriptors have not come");
        }
        if (failure != null) {
            receiver.onLost(failure);
        } else if (early.size() > 0) {
            final int descriptor = early.take();
            registration.enable(Constants.EPOLLIN);
            give(receiver, descriptor);
        } else {
            awaiting.add(receiver);
            if (awaiting.size() == 1) {
                loop.schedule(overdue, timeoutNs);
            }
        }
    }

    /**
     * Tries once more to send, then closes the connection and the descriptors in transit; waiting receivers are told.
     * Idempotent.
     */
    @Override
    public void close() {
        flush();
        if (failure == null) {
            end("the session has ended");
        }
    }

    private void onReady(final int events) {
        if ((events & Constants.EPOLLOUT) != 0) {
            flush();
        }
        if ((events & (Constants.EPOLLIN | Constants.EPOLLHUP | Constants.EPOLLERR)) != 0 && failure == null) {
            receiveOne();
        }
    }

    private void receiveOne() {
        // One byte at a time, as they were sent: otherwise a byte without a descriptor would go unnoticed.
        final int received = Syscalls.recvmsg(socket.fd(), byteAddress, 1, RECEIVE_FLAGS, control.address());
        if (received == -Errno.EAGAIN) {
            return;
        }
        if (received <= 0) {
            fail(received == 0 ? "closed by the other side" : Errno.name(-received));
            return;
        }
        final int count = control.count();
        if (count != 1 && !control.isTruncated()) {
            control.closeAll();
            fail("a byte came with " + count + " descriptors instead of 1");
            return;
        }
        if (awaiting.isEmpty()) {
            early.add(control);
            if (early.size() >= MAX_EARLY) {
                registration.disable(Constants.EPOLLIN);
            }
            return;
        }
        loop.cancel(overdue);
        final Receiver receiver = awaiting.remove();
        if (!awaiting.isEmpty()) {
            loop.schedule(overdue, timeoutNs);
        }
        if (control.isTruncated()) {
            control.closeAll();
            give(receiver, ReceivedDescriptors.LOST);
        } else {
            final int descriptor = control.descriptor(0);
            control.clear();
            give(receiver, descriptor);
        }
    }

    private static void give(final Receiver receiver, final int descriptor) {
        if (descriptor < 0) {
            receiver.onLost("lost, out of descriptors");
        } else {
            receiver.onDescriptor(OwnedFd.of(descriptor));
        }
    }

    private void flush() {
        if (failure != null) {
            return;
        }
        while (socket != null && !outgoing.isEmpty()) {
            memory.buffer().putInt(IoVec.LENGTH + Integer.BYTES, outgoing.peek().fd());
            final int result = Syscalls.sendmsg(socket.fd(), iov, 1, SEND_FLAGS, outgoingFdAddress, 1);
            if (result == -Errno.EAGAIN) {
                registration.enable(Constants.EPOLLOUT);
                return;
            }
            if (Errno.isShortage(-result)) {
                registration.disable(Constants.EPOLLOUT);
                loop.schedule(retry, RETRY_NS);
                return;
            }
            if (result < 0) {
                fail(Errno.name(-result));
                return;
            }
            outgoing.remove().close();
        }
        if (registration != null) {
            registration.disable(Constants.EPOLLOUT);
        }
    }

    private void onOverdue() {
        fail("a descriptor did not come within " + TimeUnit.NANOSECONDS.toMillis(timeoutNs) + " ms of its frame");
    }

    private void fail(final String reason) {
        LOGGER.log(Level.WARNING, "{0}: no more descriptors will be carried beside the link: {1}", name, reason);
        end("the connection for descriptors has failed: " + reason);
    }

    private void end(final String reason) {
        failure = reason;
        loop.cancel(overdue);
        loop.cancel(retry);
        if (socket != null) {
            registration.cancel();
            socket.close();
            socket = null;
        }
        early.close();
        outgoing.forEach(OwnedFd::close);
        outgoing.clear();
        memory.close();
        for (Receiver receiver = awaiting.poll(); receiver != null; receiver = awaiting.poll()) {
            receiver.onLost(reason);
        }
    }
}
