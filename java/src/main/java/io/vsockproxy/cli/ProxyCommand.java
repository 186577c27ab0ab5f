/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.cli;

import io.vsockproxy.Forward;
import io.vsockproxy.LinkAddress;
import io.vsockproxy.Role;
import io.vsockproxy.VsockProxy;
import io.vsockproxy.config.SocketAccess;
import io.vsockproxy.systemd.ServiceManager;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * What the host and guest commands have in common: options, running until a signal, exit codes.
 */
abstract class ProxyCommand implements Callable<Integer> {
    private static final Logger LOGGER = System.getLogger(ProxyCommand.class.getName());
    private static final List<String> STOP_SIGNALS = List.of("TERM", "INT");
    private static final int SPIN_MICROS = 100;
    private static final int FAILED = 1;
    /** Longer than any launch takes, including a mount. */
    private static final long LAUNCH_TIMEOUT_S = 10;

    /** The value of an option. */
    private enum Switch { ON, OFF }

    @Spec
    private CommandSpec spec;

    @Option(
        names = "--allow-connect",
        paramLabel = "PATH",
        description = "Let the other side connect to the unix socket PATH (absolute) here. As for all sockets, @NAME "
            + "means NAME in the abstract namespace. May be repeated. Default: it may connect to nothing.")
    private final List<String> allowedPaths = new ArrayList<>();

    @Option(
        names = "--forward",
        paramLabel = "LOCAL=REMOTE",
        description = "Listen on the unix socket LOCAL here, and connect each connection to REMOTE on the other side, "
            + "which must allow it. A host with several guests uses the guest that connected last, or, with "
            + "LOCAL=CID:REMOTE, the guest with that context identifier. May be repeated.")
    private final List<String> forwards = new ArrayList<>();

    @Option(
        names = "--files",
        paramLabel = "DIR",
        description = "Mount a file system on DIR (created if necessary), which serves the regular files that the "
            + "other side passes. Nothing in it can be listed or opened by name. Needs Linux 5.16. Default: such files "
            + "are refused.")
    private Path filesDirectory;

    @Option(
        names = "--allow-other",
        description = "Let processes of other users fstat the files that were passed to them, and reopen them through "
            + "/proc. Without it only processes of the proxy's own user may; not even root's may. Reading and writing "
            + "is open to whoever holds the descriptor. Needs user_allow_other in /etc/fuse.conf, except for root.")
    private boolean filesAllowOther;

    @Option(
        names = "--descriptor-socket",
        paramLabel = "PATH",
        description = "Carry descriptors that are not sockets, pipes or regular files over a unix socket beside the "
            + "link: the host listens on PATH, the guest connects to it. For links that cannot carry them: AF_VSOCK, "
            + "or unix sockets with another process in between. A host with this option serves one guest at a time.")
    private String descriptorSocket;

    @Option(
        names = "--extensions",
        paramLabel = "on|off",
        defaultValue = "on",
        description = "Whether to offer the other side flow control, half-close and the rest of the protocol's "
            + "extension, which other implementations ignore. Default: on.")
    private Switch extensions;

    @Option(
        names = "--spin",
        paramLabel = "MICROS",
        description = "While traffic is dense, poll for up to MICROS microseconds before sleeping: lower latency, in "
            + "exchange for CPU time that would otherwise be idle. 0: never poll. Default: 100 if the proxy may use "
            + "more than one processor, else 0.")
    private Integer spinMicros;

    @Option(
        names = "--cpu",
        paramLabel = "N",
        description = "Run the proxy's loop, and the workers that wait for disks, on processor N only. Helps only if "
            + "nothing else runs there; otherwise it can double latency. Default: the scheduler decides.")
    private Integer cpu;

    @Option(
        names = "--socket-mode",
        paramLabel = "MODE",
        defaultValue = "0660",
        description = "Permissions, in octal, of the unix sockets that the proxy listens on; write permission allows "
            + "connecting. Default: 0660.")
    private String socketMode;

    @Option(
        names = "--socket-group",
        paramLabel = "GROUP",
        description = "Group that owns the unix sockets that the proxy listens on. Default: the proxy's own.")
    private String socketGroup;

    @Option(
        names = "--drain-timeout",
        paramLabel = "TIME",
        converter = LimitOptions.Time.class,
        defaultValue = "5s",
        description = "How long a proxy that was told to stop may spend on sending what applications have written and "
            + "delivering what it has received. 0: stop at once. Default: 5s.")
    private long drainTimeoutNs;

    @Option(
        names = "--counters",
        paramLabel = "FILE",
        description = "Keep counters in FILE, which vsock-proxy stat FILE shows.")
    private Path countersFile;

    @Option(
        names = "--vsock-buffer",
        paramLabel = "SIZE",
        converter = LimitOptions.Size.class,
        description = "How much the kernel may hold for an AF_VSOCK link in each direction, 64K to 1G. Default: 2M.")
    private long vsockBufferLength = VsockProxy.DEFAULT_VSOCK_BUFFER_LENGTH;

    @ArgGroup(
        validate = false,
        heading = "%nSIZE: bytes, or with K, M or G (64K). TIME: seconds, or with ms, s or m (500ms).%n"
            + "%nLimits for each peer:%n")
    private LimitOptions limits = new LimitOptions();

    private volatile boolean failed;

    /** Which side this is. */
    abstract Role role();

    /** The address as it was given. */
    abstract String address();

    /** Applies the options that only this role has. */
    void configure(final VsockProxy.Context context) {
    }

    /** The proxy has been started. */
    void onLaunched(final VsockProxy proxy) {
    }

    @Override
    public Integer call() {
        final VsockProxy.Context context = context();
        final ServiceManager manager;
        final VsockProxy proxy;
        final CompletableFuture<VsockProxy> launched = new CompletableFuture<>();
        try {
            manager = serviceManager(context);
            // Before the launch: whatever that creates, like a mount, has to be removed again when a signal comes.
            stopAtSignals(manager, launched);
            proxy = VsockProxy.launch(context);
            launched.complete(proxy);
        } catch (final IllegalArgumentException e) {
            throw badArgument(e);
        } catch (final RuntimeException e) {
            return fail(e);
        } finally {
            launched.cancel(false);
        }
        try {
            onLaunched(proxy);
            announce(proxy, manager);
            proxy.awaitEnd();
            return CommandLine.ExitCode.OK;
        } catch (final InterruptedException | RuntimeException | Error e) {
            return fail(e);
        }
    }

    private static void announce(final VsockProxy proxy, final ServiceManager manager) {
        final String status;
        try {
            status = proxy.ready().join();
        } catch (final CancellationException e) {
            // It was told to stop before it was ready.
            return;
        }
        System.out.println("ready: " + status);
        System.out.flush();
        manager.ready(status);
    }

    /**
     * Has SIGTERM and SIGINT stop the proxy, after which the main thread ends as if it had been asked to, with status
     * 0. Left to the JVM, they would begin its shutdown, in which java.util.logging closes its handlers at once:
     * whatever is logged while the proxy stops would be lost. The hook is for when the JVM is shut down otherwise.
     */
    private void stopAtSignals(final ServiceManager manager, final CompletableFuture<VsockProxy> launched) {
        final AtomicBoolean stopping = new AtomicBoolean();
        Runtime.getRuntime().addShutdownHook(new Thread(
            () -> {
                if (stop(manager, launched, stopping) && !failed) {
                    // Instead of 128 + signal.
                    Runtime.getRuntime().halt(CommandLine.ExitCode.OK);
                }
            },
            "vsock-proxy-stop"));
        for (final String signal : STOP_SIGNALS) {
            try {
                Signals.handle(signal, () -> {
                    if (!stop(manager, launched, stopping)) {
                        Runtime.getRuntime().exit(FAILED);
                    }
                });
            } catch (final IllegalStateException e) {
                // Then the signal does what it does by default.
                LOGGER.log(Level.DEBUG, e.getMessage(), e);
            }
        }
    }

    /** Stops the proxy, and waits until it has ended. Returns false when there is no proxy to stop. */
    private static boolean stop(
        final ServiceManager manager, final CompletableFuture<VsockProxy> launched, final AtomicBoolean stopping) {
        final VsockProxy proxy;
        try {
            proxy = launched.get(LAUNCH_TIMEOUT_S, TimeUnit.SECONDS);
        } catch (final CancellationException | ExecutionException | InterruptedException | TimeoutException e) {
            // The launch has failed or takes too long; then the hook need not wait for it again.
            launched.cancel(false);
            return false;
        }
        if (!stopping.getAndSet(true)) {
            manager.stopping();
        }
        proxy.close();
        return true;
    }

    private static ServiceManager serviceManager(final VsockProxy.Context context) {
        final Map<String, String> environment = System.getenv();
        final long pid = ProcessHandle.current().pid();
        final ServiceManager manager = ServiceManager.of(environment, pid);
        if (manager.watchdogNs() > 0) {
            // Half of it, as sd_watchdog_enabled(3) advises.
            context.livenessTask(manager.watchdogNs() / 2, manager::keepAlive);
        }
        context.sessionListener(new SessionStatus(manager));
        ServiceManager.inheritedSockets(environment, pid).forEach(context::listeningSocket);
        return manager;
    }

    private VsockProxy.Context context() {
        try {
            final VsockProxy.Context context = new VsockProxy.Context()
                .role(role())
                .address(UsageErrors.about(
                    role() == Role.HOST ? "--listen" : "--connect", () -> LinkAddress.parse(address())));
            allowedPaths.forEach(context::allowConnect);
            configure(context);
            for (final String forward : forwards) {
                context.forward(UsageErrors.about("--forward", () -> Forward.parse(forward)));
            }
            if (filesAllowOther && filesDirectory == null) {
                throw new IllegalArgumentException("--allow-other needs --files, which is not given");
            }
            return context
                .limits(limits.sessionLimits())
                .extensions(limits.extensions(extensions == Switch.ON))
                .countersFile(countersFile)
                .spinLimitNs(TimeUnit.MICROSECONDS.toNanos(spinMicros == null ? defaultSpinMicros() : spinMicros))
                .cpu(cpu == null ? VsockProxy.ANY_CPU : requireCpu(cpu))
                .socketAccess(new SocketAccess(octal("--socket-mode", socketMode), socketGroup))
                .vsockBufferLength(vsockBufferLength)
                .drainTimeoutNs(drainTimeoutNs)
                .descriptorSocket(descriptorSocket)
                .filesAllowOther(filesAllowOther)
                .filesDirectory(filesDirectory);
        } catch (final IllegalArgumentException e) {
            throw badArgument(e);
        }
    }

    private ParameterException badArgument(final IllegalArgumentException problem) {
        return new ParameterException(spec.commandLine(), UsageErrors.withOption(problem.getMessage()), problem);
    }

    private static int requireCpu(final int number) {
        if (number < 0) {
            throw new IllegalArgumentException("--cpu " + number + ": processors are numbered from 0");
        }
        return number;
    }

    /** With a single processor, spinning would keep it from whoever is waited for. */
    private static int defaultSpinMicros() {
        return Runtime.getRuntime().availableProcessors() > 1 ? SPIN_MICROS : 0;
    }

    private static int octal(final String option, final String digits) {
        try {
            return Integer.parseUnsignedInt(digits, 8);
        } catch (final NumberFormatException e) {
            throw new IllegalArgumentException(option + " '" + digits + "' is not an octal number", e);
        }
    }

    private int fail(final Throwable problem) {
        failed = true;
        final Throwable cause = problem instanceof CompletionException ? problem.getCause() : problem;
        spec.commandLine().getErr().println(spec.qualifiedName() + ": " + cause.getMessage());
        return FAILED;
    }
}
