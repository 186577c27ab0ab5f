/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.StringArray;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.SocketAddress;
import io.vsockproxy.posix.Syscalls;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * A program that, like a service manager, makes listening sockets, hands them over (sd_listen_fds(3)) and becomes
 * another program: {@code PATH... -- COMMAND...}.
 */
public final class SocketActivation {
    private static final int FIRST_DESCRIPTOR = 3;
    private static final int BACKLOG = 16;

    /** The C library's. */
    public interface LibC extends Library {
        /** setenv(3). */
        int setenv(String name, String value, int overwrite);

        /** dup2(2). */
        int dup2(int fd, int newFd);

        /** execvp(3). */
        int execvp(String file, StringArray arguments);
    }

    private SocketActivation() {
    }

    /** What to put in front of a command to have it handed sockets at {@code paths}. */
    public static List<String> prefix(final Path... paths) {
        final List<String> command = new java.util.ArrayList<>(List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "--add-exports", "java.base/jdk.internal.misc=ALL-UNNAMED",
            "-Dvsockproxy.native.path=" + System.getProperty("vsockproxy.native.path"),
            "-cp", System.getProperty("java.class.path"), SocketActivation.class.getName()));
        Arrays.stream(paths).map(Path::toString).forEach(command::add);
        command.add("--");
        return command;
    }

    /** The program. */
    public static void main(final String[] arguments) {
        final LibC libc = Native.load(null, LibC.class);
        final int separator = Arrays.asList(arguments).indexOf("--");
        final int[] sockets = new int[separator];
        for (int i = 0; i < separator; i++) {
            final int fd = Syscalls.socket(Constants.AF_UNIX, Constants.SOCK_STREAM, 0);
            sockets[i] = PosixException.check(fd, "socket");
            try (SocketAddress address = SocketAddress.unix(arguments[i])) {
                PosixException.check(address.bind(fd), "bind to " + arguments[i]);
                PosixException.check(Syscalls.listen(fd, BACKLOG), "listen");
            }
        }
        // The JVM's own descriptors may be in the way; it needs them no more after this.
        for (int i = 0; i < separator; i++) {
            if (sockets[i] != FIRST_DESCRIPTOR + i) {
                libc.dup2(sockets[i], 200 + i);
            }
        }
        for (int i = 0; i < separator; i++) {
            libc.dup2(200 + i, FIRST_DESCRIPTOR + i);
            Syscalls.close(200 + i);
            Syscalls.close(sockets[i]);
        }
        libc.setenv("LISTEN_FDS", Integer.toString(separator), 1);
        libc.setenv("LISTEN_PID", Long.toString(ProcessHandle.current().pid()), 1);
        final String[] command = Arrays.copyOfRange(arguments, separator + 1, arguments.length);
        libc.execvp(command[0], new StringArray(command));
        System.err.println("cannot execute " + command[0]);
        System.exit(1);
    }
}
