/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.loop.Registration;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;

/**
 * Makes each read of this process's /dev/fuse fail, as if the kernel were short of memory: the end of a pipe that is
 * open for writing takes its place, while the loop still hears that requests wait. Confined to the loop's thread.
 */
final class UnreadableDevice implements AutoCloseable {
    private final int device = Descriptors.find("/dev/fuse");
    private final OwnedFd original;
    private final OwnedFd readingEnd;
    private final Registration registration;

    UnreadableDevice(final EventLoop loop) {
        original = OwnedFd.of(PosixException.check(
            Syscalls.fcntl(device, Constants.F_DUPFD_CLOEXEC, 0), "duplicate /dev/fuse"));
        try (Memory pair = Memory.allocate(2 * Integer.BYTES)) {
            PosixException.check(Syscalls.pipe2(pair.address(), Constants.O_CLOEXEC), "pipe2");
            readingEnd = OwnedFd.of(pair.buffer().getInt(0));
            try (OwnedFd writingEnd = OwnedFd.of(pair.buffer().getInt(Integer.BYTES))) {
                Syscalls.dup3(writingEnd.fd(), device, Constants.O_CLOEXEC);
            }
        }
        // Otherwise the mount could not change what it waits for.
        registration = loop.register(device, 0, events -> { });
    }

    /** Makes it readable again. */
    void restore() {
        registration.cancel();
        Syscalls.dup3(original.fd(), device, Constants.O_CLOEXEC);
    }

    @Override
    public void close() {
        original.close();
        readingEnd.close();
    }
}
