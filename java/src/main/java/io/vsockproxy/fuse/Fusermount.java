/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import com.sun.jna.Pointer;
import com.sun.jna.StringArray;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.DescriptorPair;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Runs libfuse's set-user-id helper, which mounts for users who are not root and passes the device by SCM_RIGHTS.
 *
 * <p>Source: fusermount3(1), and util/fusermount.c of libfuse for {@code _FUSE_COMMFD}. Blocks for as long as the
 * helper runs. Used once at the start and once at the end.
 */
final class Fusermount {
    /** The helper's usual name, searched for in PATH. */
    static final String PROGRAM = "fusermount3";

    private static final int STDERR = 2;
    /** The number of the helper's end of the socket. Any that is not a standard stream would do. */
    private static final int COMMUNICATION_FD = 3;
    /** posix_spawn_file_actions_t takes 80 bytes in glibc and in musl. */
    private static final int FILE_ACTIONS_LENGTH = 256;
    private static final int MESSAGE_LENGTH = 1024;

    private Fusermount() {
    }

    /**
     * Mounts {@code directory}.
     *
     * @return the device, which the caller owns.
     * @throws MountException with the helper's own message, or saying that there is no helper.
     */
    static OwnedFd mount(final String program, final Path directory, final String options) {
        try (DescriptorPair pair = new DescriptorPair()) {
            PosixException.check(pair.socketPair(Constants.SOCK_STREAM), "socketpair");
            try (OwnedFd own = OwnedFd.of(pair.first()); OwnedFd helpers = OwnedFd.of(pair.second())) {
                final Outcome outcome = run(
                    List.of(program, "-o", options, "--", directory.toString()), helpers.fd());
                final OwnedFd device = outcome.status() == 0 ? receive(own.fd()) : null;
                if (device == null) {
                    throw new MountException("cannot mount on " + directory + ": " + program + " failed: "
                        + outcome.message());
                }
                return device;
            }
        }
    }

    /** Unmounts lazily. Returns the helper's message if it failed, otherwise an empty string. */
    static String unmount(final String program, final Path directory) {
        final Outcome outcome = run(List.of(program, "-u", "-z", "--", directory.toString()), -1);
        return outcome.status() == 0 ? "" : outcome.message();
    }

    /** How the helper ended. */
    private record Outcome(int status, String message) { }

    private static Outcome run(final List<String> command, final int communicationFd) {
        try (Memory scratch = Memory.allocate(MESSAGE_LENGTH); DescriptorPair pipe = new DescriptorPair()) {
            PosixException.check(pipe.pipe(0), "pipe2");
            try (OwnedFd readEnd = OwnedFd.of(pipe.first())) {
                final int pid;
                try (OwnedFd writeEnd = OwnedFd.of(pipe.second())) {
                    pid = spawn(command, communicationFd, writeEnd.fd());
                }
                final String message = readAll(readEnd.fd(), scratch);
                LibC.INSTANCE.waitpid(pid, new Pointer(scratch.address()), 0);
                return new Outcome(scratch.buffer().getInt(0), message);
            }
        }
    }

    private static int spawn(final List<String> command, final int communicationFd, final int stderrFd) {
        final String program = command.get(0);
        final List<String> environment = new ArrayList<>();
        for (final Map.Entry<String, String> variable : System.getenv().entrySet()) {
            environment.add(variable.getKey() + "=" + variable.getValue());
        }
        try (Memory memory = Memory.allocate(FILE_ACTIONS_LENGTH + Long.BYTES)) {
            final Pointer actions = new Pointer(memory.address());
            LibC.INSTANCE.posix_spawn_file_actions_init(actions);
            LibC.INSTANCE.posix_spawn_file_actions_adddup2(actions, stderrFd, STDERR);
            if (communicationFd >= 0) {
                // Also when both numbers are the same: this clears the close-on-exec flag.
                LibC.INSTANCE.posix_spawn_file_actions_adddup2(actions, communicationFd, COMMUNICATION_FD);
                environment.add("_FUSE_COMMFD=" + COMMUNICATION_FD);
            }
            final int errno = LibC.INSTANCE.posix_spawnp(
                new Pointer(memory.address(FILE_ACTIONS_LENGTH, Integer.BYTES)),
                program, actions, null, strings(command), strings(environment));
            LibC.INSTANCE.posix_spawn_file_actions_destroy(actions);
            // EACCES when a directory of PATH cannot be searched by this user.
            if (errno == Errno.ENOENT || errno == Errno.EACCES) {
                throw new MountException("mounting takes root, or the program " + program
                    + " (in most distributions the package fuse3), which was not found in PATH");
            }
            if (errno != 0) {
                throw new MountException("cannot start " + program + ": " + Errno.name(errno));
            }
            return memory.buffer().getInt(FILE_ACTIONS_LENGTH);
        }
    }

    private static StringArray strings(final List<String> strings) {
        return new StringArray(strings.toArray(new String[0]), "UTF-8");
    }

    private static String readAll(final int fd, final Memory scratch) {
        final StringBuilder text = new StringBuilder();
        long length;
        while ((length = Syscalls.read(fd, scratch.address(), scratch.length())) > 0) {
            if (text.length() < MESSAGE_LENGTH) {
                final byte[] bytes = new byte[(int) length];
                scratch.buffer().getBytes(0, bytes);
                text.append(new String(bytes, StandardCharsets.UTF_8));
            }
        }
        return text.toString().strip();
    }

    /** The one descriptor that the helper sent before it ended, or null. */
    private static OwnedFd receive(final int fd) {
        try (Memory memory = Memory.allocate(Long.BYTES + ControlData.LENGTH)) {
            final ControlData control = new ControlData(memory, Long.BYTES);
            final int received = Syscalls.recvmsg(
                fd, memory.address(), 1, Constants.MSG_CMSG_CLOEXEC | Constants.MSG_DONTWAIT, control.address());
            if (received < 0) {
                return null;
            }
            if (control.count() != 1 || control.isTruncated()) {
                control.closeAll();
                return null;
            }
            return OwnedFd.of(control.descriptor(0));
        }
    }
}
