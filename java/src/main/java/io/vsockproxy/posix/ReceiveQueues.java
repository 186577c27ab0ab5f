/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import java.util.Arrays;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Tells whether descriptors wait in the receive queue of a unix socket, without taking anything out of it.
 *
 * <p>Since Linux 5.8 the kernel shows their number in /proc/self/fdinfo/N, as {@code scm_fds} (unix_show_fdinfo in
 * net/unix/af_unix.c). It counts a message's descriptors before it queues the message. So if FIONREAD has reported
 * {@code n} queued bytes, and after that no descriptors are queued, those {@code n} bytes carry none: descriptors leave
 * the queue only with a receive, and only the caller, as the socket's one owner, receives.
 *
 * <p>The files are kept open, because reading one again takes a quarter of the time of opening it, and leaves no
 * garbage. A file shows whatever its number stands for when it is read, so it is never out of date; {@link #forget}
 * only bounds how long it stays open. When two busy sockets compete for the same slot, the one that has it keeps it as
 * long as it is busy: replacing each other's files would cost more than is saved.
 *
 * <p>One thread.
 */
public final class ReceiveQueues implements AutoCloseable {
    /** How many files can be open at once; a socket's slot is its number modulo this. */
    private static final int SLOT_COUNT = 64;
    private static final int NONE = -1;
    private static final int MAX_LENGTH = 512;
    private static final String FIELD = "\nscm_fds: 0\n";

    private final DescriptorReserve reserve;
    private final Memory memory = Memory.allocate(MAX_LENGTH);
    private final int[] sockets = new int[SLOT_COUNT];
    private final int[] files = new int[SLOT_COUNT];
    private final boolean[] used = new boolean[SLOT_COUNT];
    private int expectedIndex;

    /**
     * @param reserve the descriptor numbers that must not be kept.
     */
    public ReceiveQueues(final DescriptorReserve reserve) {
        this.reserve = reserve;
        Arrays.fill(sockets, NONE);
        Arrays.fill(files, NONE);
    }

    /**
     * Whether it is certain that no descriptors wait in the receive queue of {@code fd}.
     *
     * @return false also when the kernel does not tell (before Linux 5.8, without /proc, out of descriptors), and when
     *     another socket has the slot and has used it since the last call for a socket without one.
     */
    public boolean hasNoDescriptors(final int fd) {
        final int slot = fd & (SLOT_COUNT - 1);
        if (sockets[slot] != fd && (isTaken(slot) || !open(slot, fd))) {
            return false;
        }
        used[slot] = true;
        final UnsafeBuffer buffer = memory.buffer();
        IoVec.set(buffer, 0, memory.address() + IoVec.LENGTH, MAX_LENGTH - IoVec.LENGTH);
        final int length = (int) Syscalls.preadv2(files[slot], memory.address(), 1, 0, 0);
        if (length <= 0) {
            close(slot);
            return false;
        }
        final int last = IoVec.LENGTH + length - FIELD.length();
        // Most likely where it was the last time: what precedes it hardly changes in length.
        if (expectedIndex >= IoVec.LENGTH && expectedIndex <= last && matches(buffer, expectedIndex)) {
            return true;
        }
        for (int index = IoVec.LENGTH; index <= last; index++) {
            if (matches(buffer, index)) {
                expectedIndex = index;
                return true;
            }
        }
        return false;
    }

    /** To be called before {@code fd} is closed. */
    public void forget(final int fd) {
        final int slot = fd & (SLOT_COUNT - 1);
        if (sockets[slot] == fd) {
            close(slot);
        }
    }

    /** How many descriptors this holds open. */
    public int descriptorCount() {
        int count = 0;
        for (final int file : files) {
            count += file == NONE ? 0 : 1;
        }
        return count;
    }

    @Override
    public void close() {
        for (int slot = 0; slot < SLOT_COUNT; slot++) {
            close(slot);
        }
        memory.close();
    }

    private boolean isTaken(final int slot) {
        final boolean taken = used[slot];
        used[slot] = false;
        return taken;
    }

    private boolean open(final int slot, final int fd) {
        close(slot);
        final int file =
            reserve.keep(Paths.open("/proc/self/fdinfo/" + fd, Constants.O_RDONLY | Constants.O_CLOEXEC));
        if (file < 0) {
            return false;
        }
        sockets[slot] = fd;
        files[slot] = file;
        return true;
    }

    private void close(final int slot) {
        if (files[slot] != NONE) {
            Syscalls.close(files[slot]);
            files[slot] = NONE;
            sockets[slot] = NONE;
            used[slot] = false;
        }
    }

    private static boolean matches(final UnsafeBuffer buffer, final int index) {
        for (int i = 0; i < FIELD.length(); i++) {
            if (buffer.getByte(index + i) != FIELD.charAt(i)) {
                return false;
            }
        }
        return true;
    }
}
