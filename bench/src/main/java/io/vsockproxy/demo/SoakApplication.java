/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import java.io.File;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;

/**
 * An application in a process of its own, to be killed: it passes a pipe, then writes to the pipe and to its connection
 * forever.
 */
final class SoakApplication {
    private static final long FOREVER_S = 3600;

    private SoakApplication() {
    }

    /** Starts such applications. */
    static final class Launcher {
        private final String guestSocket;
        private final File log;

        /**
         * @param guestSocket the guest proxy's, to connect to.
         * @param log for the processes' output.
         */
        Launcher(final String guestSocket, final File log) {
            this.guestSocket = guestSocket;
            this.log = log;
        }

        /** Starts one that begins with {@code greeting}. */
        Process start(final String greeting, final long seed) {
            final List<String> command = new ArrayList<>();
            command.add(ProcessHandle.current().info().command().orElseThrow());
            command.addAll(List.of(
                "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx32m", "-Xshare:auto", "-XX:-UsePerfData",
                "--add-exports", "java.base/jdk.internal.misc=ALL-UNNAMED", "--enable-native-access=ALL-UNNAMED",
                "-Dvsockproxy.native.path=" + System.getProperty("vsockproxy.native.path"),
                "-cp", System.getProperty("java.class.path"), SoakApplication.class.getName()));
            command.addAll(List.of(guestSocket, greeting, Long.toString(seed)));
            try {
                return new ProcessBuilder(command).redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.appendTo(log)).start();
            } catch (final IOException e) {
                throw new DemoException("cannot start an application", e);
            }
        }
    }

    /**
     * Runs until it is killed, or its connection ends.
     *
     * @param arguments the guest proxy's socket, the greeting, the seed.
     */
    public static void main(final String[] arguments) {
        final long seed = Long.parseLong(arguments[2]);
        try (Channel channel = Applications.connect(arguments[0])) {
            channel.write(arguments[1]);
            // Descriptors may arrive with bytes written before them, which are read without room for any.
            Check.equal("the host's word", "ok", channel.read(2));
            final Channel[] pipe = Channel.pipe();
            channel.send("pipe", pipe[0]);
            pipe[0].close();
            Check.equal("the host's word", "go", channel.read(2));
            final FutureTask<Void> piping = SoakTransfer.startSending(pipe[1], seed, Long.MAX_VALUE);
            Threads.await(SoakTransfer.startSending(channel, seed, Long.MAX_VALUE), FOREVER_S);
            Threads.await(piping, FOREVER_S);
        }
    }
}
