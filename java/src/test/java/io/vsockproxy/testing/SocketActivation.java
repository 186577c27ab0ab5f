/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Does what a service manager does for socket activation (sd_listen_fds(3)): listens on unix sockets, and then becomes
 * another program, which inherits them as descriptors 3, 4, ... In Perl, because a JVM needs those descriptors itself.
 */
public final class SocketActivation {
    private static final String PROGRAM = String.join("\n",
        "use Socket;",
        // $^F is the highest descriptor that Perl does not close on exec.
        "$^F = 99;",
        "while ((my $path = shift @ARGV) ne '--') {",
        "    socket(my $socket, AF_UNIX, SOCK_STREAM, 0) or die qq(socket: $!);",
        "    $path =~ s/^@/\\0/;",
        "    bind($socket, sockaddr_un($path)) or die qq(bind to $path: $!);",
        "    listen($socket, 16) or die qq(listen: $!);",
        "    fileno($socket) == 3 + @sockets or die 'descriptor ' . fileno($socket);",
        "    push @sockets, $socket;",
        "}",
        "$ENV{LISTEN_FDS} = @sockets;",
        "$ENV{LISTEN_PID} = $$;",
        "exec { $ARGV[0] } @ARGV or die qq(cannot execute $ARGV[0]: $!);");

    private SocketActivation() {
    }

    /** What to put in front of a command to have it handed sockets at {@code paths}. */
    public static List<String> prefix(final Path... paths) {
        final List<String> command = new ArrayList<>(List.of("perl", "-e", PROGRAM));
        Arrays.stream(paths).map(Path::toString).forEach(command::add);
        command.add("--");
        return command;
    }
}
