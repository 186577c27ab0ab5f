/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.fuse.FuseServer.Outcome;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Paths;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.testing.LogCapture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Requests that cannot be read. A packet socket stands for /dev/fuse, and now and then another file for that. */
class FuseReadFailuresTest {
    private static final int REQUEST_LENGTH = FuseInHeader.LENGTH;

    private final Memory memory = Memory.allocate(4096);
    private OwnedFd kernel;
    private int device;
    private OwnedFd socket;
    /** Each read of it fails: it is open for writing only. */
    private OwnedFd unreadable;
    private FuseServer server;

    @BeforeEach
    void connect() {
        PosixException.check(
            Syscalls.socketpair(
                Constants.AF_UNIX, Constants.SOCK_SEQPACKET | Constants.SOCK_CLOEXEC | Constants.SOCK_NONBLOCK, 0,
                memory.address()),
            "socketpair");
        kernel = OwnedFd.of(memory.buffer().getInt(0));
        device = memory.buffer().getInt(Integer.BYTES);
        final OwnedFd owned = OwnedFd.of(device);
        socket = owned.duplicate();
        unreadable = OwnedFd.of(PosixException.check(
            Paths.open("/dev/null", Constants.O_WRONLY | Constants.O_CLOEXEC), "open"));
        server = new FuseServer(new FuseChannel(owned), new FuseNodes(), 1000, 1001, node -> { }, taskId -> false);
    }

    @AfterEach
    void close() {
        server.close();
        kernel.close();
        socket.close();
        unreadable.close();
        memory.close();
    }

    @Test
    void shouldGoOnAfterAFewFailures() {
        for (int round = 0; round < 3; round++) {
            use(unreadable);
            for (int i = 1; i < FuseServer.MAX_FAILED_READS; i++) {
                assertEquals(Outcome.READ_FAILED, server.serve());
            }
            use(socket);
            assertEquals(0, request());
        }
    }

    @Test
    void shouldTryOnlyOnceAtATime() {
        request();
        use(unreadable);
        assertEquals(Outcome.READ_FAILED, server.serve());
        use(socket);
        assertEquals(Outcome.SERVED, server.serve());
    }

    @Test
    void shouldEndAfterManyFailuresInARowAndSayWhy() {
        try (LogCapture log = new LogCapture()) {
            use(unreadable);
            for (int i = 1; i < FuseServer.MAX_FAILED_READS; i++) {
                assertEquals(Outcome.READ_FAILED, server.serve());
            }
            assertEquals(Outcome.ENDED, server.serve());
            log.awaitOne("EBADF");
        }
    }

    private void use(final OwnedFd file) {
        assertEquals(device, Syscalls.dup3(file.fd(), device, Constants.O_CLOEXEC));
    }

    /** Sends a request that always succeeds, and returns the errno in the answer to it. */
    private int request() {
        memory.buffer().setMemory(0, REQUEST_LENGTH, (byte) 0);
        memory.buffer().putInt(0, REQUEST_LENGTH);
        memory.buffer().putInt(Integer.BYTES, FuseProtocol.STATFS);
        memory.buffer().putLong(2 * Integer.BYTES, 1);
        assertEquals(REQUEST_LENGTH, Syscalls.write(kernel.fd(), memory.address(), REQUEST_LENGTH));
        assertEquals(Outcome.SERVED, server.serve());
        PosixException.check((int) Syscalls.read(kernel.fd(), memory.address(), memory.length()), "read");
        return -memory.buffer().getInt(Integer.BYTES);
    }
}
