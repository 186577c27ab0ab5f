/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.loop;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;

/**
 * Ends the loop's wait when a timer is due: a timerfd, watched like any other descriptor.
 *
 * <p>epoll_wait takes a timeout as well, but for that the kernel sets up a timer and takes it down again at every wait,
 * which costs more than the rest of the wait. This timer stays set over many waits. It may go off for a deadline that
 * has been cancelled or postponed since; that is harmless, and happens once for each time it is set.
 *
 * <p>Threading: confined to the loop's thread. Owns the timerfd.
 */
final class Alarm implements AutoCloseable {
    private final int fd;
    private long deadlineNs;
    private boolean set;

    /**
     * Creates the timerfd.
     *
     * @throws PosixException when the kernel refuses (EMFILE).
     */
    Alarm() {
        fd = PosixException.check(
            Syscalls.timerfdCreate(Constants.TFD_CLOEXEC | Constants.TFD_NONBLOCK), "timerfd_create");
    }

    /** The timerfd: readable once the alarm has gone off. */
    int fd() {
        return fd;
    }

    /**
     * Sets the alarm to go off at {@code dueNs} (System.nanoTime()) or earlier.
     *
     * @return false when that time has passed, so that there is nothing to wait for.
     */
    boolean goOffBy(final long dueNs) {
        if (set && deadlineNs - dueNs <= 0) {
            return true;
        }
        final long delayNs = dueNs - System.nanoTime();
        if (delayNs <= 0) {
            return false;
        }
        PosixException.check(Syscalls.timerfdSettime(fd, delayNs), "timerfd_settime");
        deadlineNs = dueNs;
        set = true;
        return true;
    }

    /**
     * To be called when the alarm has gone off.
     *
     * @param counterAddress address of 8 bytes of scratch memory.
     */
    void onExpired(final long counterAddress) {
        set = false;
        Syscalls.read(fd, counterAddress, Long.BYTES);
    }

    @Override
    public void close() {
        Syscalls.close(fd);
    }
}
