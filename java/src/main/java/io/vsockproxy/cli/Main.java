/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.cli;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * {@code vsock-proxy}. Exit codes: 0 stopped as asked, 1 failed, 2 bad arguments.
 */
@Command(
    name = "vsock-proxy",
    description = "Carries unix sockets, pipes and descriptors across a virtual machine's boundary.",
    subcommands = {HostCommand.class, GuestCommand.class, StatCommand.class, InfoCommand.class},
    mixinStandardHelpOptions = true,
    versionProvider = Version.class)
public final class Main implements Runnable {
    @Spec
    private CommandSpec spec;

    /** The entry point of the command line. */
    public static void main(final String[] arguments) {
        final CommandLine commandLine = commandLine();
        int exitCode;
        try {
            exitCode = commandLine.execute(arguments);
        } catch (final LinkageError e) {
            // The native library could not be loaded, or the JVM lacks a flag; the message names the remedy.
            commandLine.getErr().println("vsock-proxy: " + e.getMessage());
            exitCode = CommandLine.ExitCode.SOFTWARE;
        }
        if (exitCode != 0) {
            System.exit(exitCode);
        }
    }

    /** The parser of the command line. */
    static CommandLine commandLine() {
        return new CommandLine(new Main())
            .setCaseInsensitiveEnumValuesAllowed(true)
            // An argument that begins with @ is a socket's abstract name, not a file with more arguments.
            .setExpandAtFiles(false)
            .setParameterExceptionHandler(Main::complain);
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), UsageErrors.COMMANDS);
    }

    private static int complain(final ParameterException problem, final String[] arguments) {
        final CommandLine command = problem.getCommandLine();
        command.getErr().println(command.getCommandSpec().qualifiedName() + ": "
            + UsageErrors.withSuggestions(problem) + " (see --help)");
        return CommandLine.ExitCode.USAGE;
    }
}
