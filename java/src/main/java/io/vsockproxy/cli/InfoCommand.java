/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.cli;

import io.vsockproxy.LinkAddress;
import io.vsockproxy.VsockDevice;
import io.vsockproxy.VsockProxy;
import io.vsockproxy.config.SessionLimits;
import io.vsockproxy.posix.Errno;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * {@code vsock-proxy info}: what the proxy finds on this machine. Opens no socket and changes nothing.
 */
@Command(
    name = "info",
    description = "Shows this machine's context identifier (CID), and the versions and limits that a proxy would "
        + "run with. Opens no socket.",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class)
final class InfoCommand implements Callable<Integer> {
    private static final Path LIMITS = Path.of("/proc/self/limits");
    private static final String OPEN_FILES = "Max open files";

    @Spec
    private CommandSpec spec;

    @Option(
        names = "--device",
        paramLabel = "PATH",
        defaultValue = VsockDevice.PATH,
        description = "The device that is asked for the CID. Default: ${DEFAULT-VALUE}.")
    private String device;

    @Override
    public Integer call() throws IOException {
        final SessionLimits limits = SessionLimits.DEFAULTS;
        row("version", new Version().getVersion()[0]);
        row("java", System.getProperty("java.version") + ", " + System.getProperty("java.vm.name"));
        row("kernel", System.getProperty("os.name") + " " + System.getProperty("os.version") + ", "
            + System.getProperty("os.arch"));
        row("local CID", localCid());
        row("default vsock buffer", VsockProxy.DEFAULT_VSOCK_BUFFER_LENGTH + " bytes each way");
        row("longest frame", limits.maxFrameLength() + " bytes");
        row("descriptors in a frame", limits.maxDescriptorsPerFrame() + " at most");
        row("streams of a session", limits.maxHandles() + " at most");
        row("open descriptors", openDescriptors());
        return CommandLine.ExitCode.OK;
    }

    private String localCid() {
        final long cid = VsockDevice.localCid(device);
        if (cid < 0) {
            return "none: " + device + ": " + Errno.name((int) -cid);
        }
        return (int) cid == LinkAddress.ANY_CID
            ? "none: no transport to a host or to guests is loaded" : Long.toString(cid);
    }

    /** RLIMIT_NOFILE; the JVM has raised the soft limit to the hard one by now. */
    private static String openDescriptors() throws IOException {
        return Files.readAllLines(LIMITS).stream()
            .filter(line -> line.startsWith(OPEN_FILES))
            .map(line -> line.substring(OPEN_FILES.length()).strip().split("\\s+", 2)[0] + " at most (RLIMIT_NOFILE)")
            .findFirst().orElse("unknown");
    }

    private void row(final String name, final String value) {
        final PrintWriter out = spec.commandLine().getOut();
        out.printf("%-24s%s%n", name, value);
        out.flush();
    }
}
