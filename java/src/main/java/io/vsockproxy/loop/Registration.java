/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.loop;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;

/**
 * A descriptor's registration with an {@link EventLoop}: the events it waits for, and the handler that is called.
 *
 * <p>Borrows the descriptor: {@linkplain #cancel cancel} first, close afterwards. Readiness is level-triggered, except
 * that an interest of 0 is registered edge-triggered: EPOLLHUP and EPOLLERR cannot be masked, and would otherwise keep
 * the loop busy with a descriptor that nobody can act on. Confined to the loop's thread.
 */
public final class Registration {
    private final EventLoop loop;
    private final int fd;
    private final int slot;
    private final int generation;
    private final ReadinessHandler handler;
    private int interest;
    private boolean active = true;
    private boolean edgeTriggered;

    Registration(
        final EventLoop loop,
        final int fd,
        final int slot,
        final int generation,
        final int interest,
        final ReadinessHandler handler) {
        this.loop = loop;
        this.fd = fd;
        this.slot = slot;
        this.generation = generation;
        this.interest = interest;
        this.handler = handler;
    }

    /** Whether it has not been cancelled. */
    public boolean isActive() {
        return active;
    }

    /** The events waited for. */
    public int interest() {
        return interest;
    }

    /**
     * Waits for {@code events} from now on, and for no others. Costs a system call only when this changes anything.
     *
     * @param events EPOLLIN, EPOLLOUT, EPOLLRDHUP or 0.
     */
    public void interest(final int events) {
        if (events != interest && active) {
            interest = events;
            modify();
        }
    }

    /**
     * From now on reports each readiness only once, because some of it can neither be masked nor taken away. Once the
     * handler has done something about what was reported, it has to call {@link #rearm}, or it is not told of what is
     * left.
     */
    public void edgeTriggered() {
        if (!edgeTriggered && active) {
            edgeTriggered = true;
            modify();
        }
    }

    /** Whether {@link #edgeTriggered} was called. */
    public boolean isEdgeTriggered() {
        return edgeTriggered;
    }

    /** Has what is ready now reported once more. */
    public void rearm() {
        if (active) {
            modify();
        }
    }

    private void modify() {
        final int events = kernelEvents(interest) | (edgeTriggered ? Constants.EPOLLET : 0);
        final int result = Syscalls.epollCtl(loop.epollFd(), Constants.EPOLL_CTL_MOD, fd, events, key());
        if (result < 0) {
            // Not PosixException.check(), for which the message would be built each time.
            throw new PosixException("epoll_ctl(MOD) of descriptor " + fd, -result);
        }
    }

    /** Adds {@code events} to the interest. */
    public void enable(final int events) {
        interest(interest | events);
    }

    /** Takes {@code events} out of the interest. */
    public void disable(final int events) {
        interest(interest & ~events);
    }

    /** Ends the registration; events already collected in this turn are dropped. Idempotent. */
    public void cancel() {
        if (active) {
            active = false;
            Syscalls.epollCtl(loop.epollFd(), Constants.EPOLL_CTL_DEL, fd, 0, 0);
            loop.forget(slot);
        }
    }

    /**
     * As {@link #cancel}, but without a system call. Only for a caller that closes the descriptor right afterwards and
     * knows that no other descriptor refers to the same open file description: then the kernel ends the registration by
     * itself.
     */
    public void end() {
        if (active) {
            active = false;
            loop.forget(slot);
        }
    }

    static int kernelEvents(final int interest) {
        return interest == 0 ? Constants.EPOLLET : interest;
    }

    long key() {
        return ((long) generation << 32) | slot;
    }

    int generation() {
        return generation;
    }

    void dispatch(final int events) {
        handler.onReady(events);
    }
}
