/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Syscalls;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.Executors;
import java.util.concurrent.locks.LockSupport;

/**
 * Mounts on the directory given, opens a file there, reads the kernel's LOOKUP for it from /dev/fuse, reports that, and
 * never answers.
 */
public final class UnansweredLookupProcess {
    private UnansweredLookupProcess() {
    }

    /** See the class. */
    public static void main(final String[] args) {
        final EventLoop loop = new EventLoop(0, Fixture::failOn);
        final FuseMount mount =
            FuseMount.mount(loop, Executors.newCachedThreadPool(), Path.of(args[0]), false);
        // INIT.
        loop.turn(-1);
        mount.open(new MemoryBackend("content".getBytes(StandardCharsets.US_ASCII)), Constants.O_RDONLY,
            new OpenCompletion() {
                @Override
                public void onOpened(final OwnedFd descriptor) {
                    throw new AssertionError("opened without an answer");
                }

                @Override
                public void onFailed(final int errno) {
                    throw new AssertionError("failed without an answer: " + errno);
                }
            });
        final int device = Descriptors.find("/dev/fuse");
        try (Memory memory = Memory.allocate(FuseChannel.MAX_DATA_LENGTH + 4096)) {
            while (Syscalls.read(device, memory.address(), memory.length()) < 0
                || FuseInHeader.opcode(memory.buffer(), 0) != FuseProtocol.LOOKUP) {
                LockSupport.parkNanos(1_000_000);
            }
        }
        System.out.println("looked up");
        LockSupport.park();
    }
}
