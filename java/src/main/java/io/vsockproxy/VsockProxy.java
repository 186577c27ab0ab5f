/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import io.vsockproxy.channel.ChannelAcceptor;
import io.vsockproxy.channel.ChannelHandler;
import io.vsockproxy.config.Extensions;
import io.vsockproxy.config.SessionLimits;
import io.vsockproxy.config.SocketAccess;
import io.vsockproxy.posix.JvmFlags;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.SocketAddress;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.agrona.ErrorHandler;

/**
 * A proxy: carries unix-domain streams, pipes, datagrams and descriptors between applications on this side of a virtual
 * machine's boundary and those on the other, and lets components of this process take part by way of {@linkplain
 * io.vsockproxy.channel channels}.
 *
 * <pre>{@code
 * VsockProxy.Context context = new VsockProxy.Context()
 *     .role(Role.GUEST)
 *     .address(LinkAddress.parse("vsock:2:9900"))
 *     .forward(Forward.parse("/run/display.sock=/run/host/display.sock"));
 * try (VsockProxy proxy = VsockProxy.launch(context)) {
 *     proxy.ready().join();
 *     ...
 * }
 * }</pre>
 *
 * <p>One thread turns it: its own ({@link #launch}), or the component's ({@link #embed}). All methods here may be
 * called from any thread. Proxies share nothing with each other; there may be any number in one process.
 */
public final class VsockProxy implements AutoCloseable {
    /** For {@link Context#cpu(int)}: wherever the scheduler puts the loop. */
    public static final int ANY_CPU = -1;

    /**
     * For {@link Context#vsockBufferLength(long)}, in bytes: 2 MiB, because some kernels reset a connection whose
     * unread packets outgrow it.
     */
    public static final long DEFAULT_VSOCK_BUFFER_LENGTH = 2 << 20;

    private static final Logger LOGGER = System.getLogger(VsockProxy.class.getName());

    private final ProxyAgent agent;
    private final CompletableFuture<String> ready = new CompletableFuture<>();
    /** Null when embedded. */
    private final ProxyThread thread;

    private VsockProxy(final Context context, final boolean embedded) {
        agent = new ProxyAgent(context, ready);
        thread = embedded ? null : new ProxyThread(agent, context.cpu(), ready);
    }

    /**
     * Starts a proxy on a thread of its own, a daemon.
     *
     * @param context is concluded by this, and must not be changed afterwards.
     * @throws IllegalArgumentException when the context does not hold together.
     * @throws PosixException           when the kernel has no descriptors or memory for it. What its thread runs into
     *                                  later, like EADDRINUSE, {@link #ready} tells.
     * @throws RuntimeException         when {@link Context#filesDirectory} cannot be mounted or {@link
     *                                  Context#countersFile} not be made; the message says why. Nothing stays open.
     * @throws UnsatisfiedLinkError     when the native library cannot be loaded: what was tried, and the remedy.
     */
    public static VsockProxy launch(final Context context) {
        final VsockProxy proxy = new VsockProxy(context.conclude(), false);
        proxy.thread.start();
        return proxy;
    }

    /**
     * Makes a proxy that the component turns, on a thread of its choice: see {@link #agent}. Everything else is as for
     * {@link #launch}.
     */
    public static VsockProxy embed(final Context context) {
        return new VsockProxy(context.conclude(), true);
    }

    /**
     * What turns an embedded proxy.
     *
     * @throws IllegalStateException when it was launched, and has a thread of its own.
     */
    public EngineAgent agent() {
        if (thread != null) {
            throw new IllegalStateException("launched: turned by thread " + thread.name());
        }
        return agent;
    }

    /**
     * Completes, with a line for people, when the proxy serves: the host at once, the guest when its link is up and its
     * sockets listen. Fails when that cannot be, and is cancelled when the proxy is closed before.
     */
    public CompletableFuture<String> ready() {
        return ready;
    }

    /**
     * Connects to the unix socket, or the component, at {@code path} on the other side, which must allow it: a guest's
     * host, a host's guest that came last. ({@link io.vsockproxy.channel.Peer#connect} is for a particular one.)
     *
     * @param path    1 to 107 bytes in UTF-8, no NUL.
     * @param handler is told the outcome, once, on the engine's thread.
     * @return false when the proxy is closed, or has 4,096 commands to run already: the handler will not be told.
     * @throws IllegalArgumentException when {@code path} cannot be the path of a unix socket.
     */
    public boolean connect(final String path, final ChannelHandler handler) {
        SocketAddress.checkPath(path);
        return agent.submit(() -> agent.connect(path, handler));
    }

    /**
     * Has {@code command} run on the engine's thread, where channels and files may be used; commands of one thread in
     * their order. What it throws goes to the error handler.
     *
     * @return false when the proxy is closed, or has 4,096 commands to run already: it will not be run.
     */
    public boolean execute(final Runnable command) {
        return agent.execute(command);
    }

    /**
     * Has an AF_VSOCK host serve these guests from now on, in place of those of {@link Context#guests(Map)}. Sessions
     * of others end; a guest that stays keeps its connections, and may from now on ask for those that are now named.
     *
     * @param pathsByCid as for {@link Context#guests(Map)}.
     * @return false when the proxy is closed, or has 4,096 commands to run already: nothing has changed.
     * @throws IllegalArgumentException when one cannot be the path of a unix socket.
     * @throws IllegalStateException    when its context names no guests: it serves every one.
     */
    public boolean guests(final Map<Integer, List<String>> pathsByCid) {
        final Map<Integer, List<String>> guests = copy(pathsByCid);
        ContextChecks.checkPaths(guests);
        agent.checkNamesGuests();
        return agent.submit(() -> agent.guests(guests));
    }

    private static Map<Integer, List<String>> copy(final Map<Integer, List<String>> pathsByCid) {
        return pathsByCid.entrySet().stream()
            .collect(Collectors.toUnmodifiableMap(Map.Entry::getKey, entry -> List.copyOf(entry.getValue())));
    }

    /** Ends the present or the next wait of {@link EngineAgent#doWork(long)} at once. */
    public void wakeUp() {
        agent.wakeUp();
    }

    /**
     * Waits until a launched proxy has ended.
     *
     * @throws RuntimeException      what ended it, when it was not {@link #close}; an Error likewise.
     * @throws IllegalStateException when it is embedded: it ends where the component stops turning it.
     */
    public void awaitEnd() throws InterruptedException {
        if (thread == null) {
            throw new IllegalStateException("embedded: turned by the component");
        }
        thread.awaitEnd();
    }

    /**
     * Stops a launched proxy: accepts nothing more, brings each session to an orderly end for up to {@link
     * Context#drainTimeoutNs}, then closes what is left, removes the sockets, and waits for the thread. An embedded
     * proxy is closed right here and at once, so on the thread that turns it, or after that has stopped (from a
     * callback, as soon as the turn has ended); {@link EngineAgent#onClose} is the same. Idempotent. Not from a
     * callback of a launched proxy, which would wait for itself.
     */
    @Override
    public void close() {
        if (thread == null) {
            agent.onClose();
        } else {
            thread.close();
        }
    }

    /**
     * What a proxy is to do. Fluent setters; {@link #conclude} checks it all once. For one proxy and one thread: after
     * it has been given to a proxy, it is only read.
     */
    public static final class Context {
        private Role role;
        private LinkAddress address;
        private final List<String> allowedPaths = new ArrayList<>();
        private Map<Integer, List<String>> guests;
        private final List<Forward> forwards = new ArrayList<>();
        private String descriptorSocket;
        private Path filesDirectory;
        private boolean filesAllowOther;
        private SessionLimits limits = SessionLimits.DEFAULTS;
        private Extensions extensions = Extensions.DEFAULTS;
        private int fileWorkerThreads = 4;
        private long spinLimitNs;
        private int cpu = ANY_CPU;
        private int maxSessions = 64;
        private final List<OwnedFd> listeningSockets = new ArrayList<>();
        private long livenessIntervalNs;
        private Runnable livenessTask;
        private long drainTimeoutNs = TimeUnit.SECONDS.toNanos(5);
        private long vsockBufferLength = DEFAULT_VSOCK_BUFFER_LENGTH;
        private SocketAccess socketAccess = SocketAccess.DEFAULT;
        private Path countersFile;
        private final Map<String, ChannelAcceptor> acceptors = new LinkedHashMap<>();
        private SessionListener sessionListener = new SessionListener() { };
        private ErrorHandler errorHandler =
            e -> LOGGER.log(Level.ERROR, "a fault in the proxy, or in a component's callback", e);
        private boolean concluded;

        /** Which side this is. No default. */
        public Context role(final Role newRole) {
            this.role = newRole;
            return this;
        }

        /** Which side this is. */
        public Role role() {
            return role;
        }

        /** Where the host listens, or the guest connects. No default. */
        public Context address(final LinkAddress newAddress) {
            this.address = newAddress;
            return this;
        }

        /** Where the host listens, or the guest connects. */
        public LinkAddress address() {
            return address;
        }

        /**
         * Lets the other side ask for a connection to the unix socket {@code path}, exactly as it is spelled here. None
         * by default.
         *
         * @param path absolute, 1 to 107 bytes in UTF-8, no NUL; or behind an @, a name in the abstract namespace.
         */
        public Context allowConnect(final String path) {
            allowedPaths.add(path);
            return this;
        }

        /** Paths that the other side may ask to be connected to. */
        public List<String> allowedPaths() {
            return List.copyOf(allowedPaths);
        }

        /**
         * Has an AF_VSOCK host serve these guests, and no others. By default it serves every one.
         *
         * @param pathsByCid for each guest's context identifier, unsigned, the unix sockets that it may ask for a
         *                   connection to, besides those that all may ask for: as in {@link #allowConnect}. Without an
         *                   entry, no guest is served.
         */
        public Context guests(final Map<Integer, List<String>> pathsByCid) {
            guests = copy(pathsByCid);
            return this;
        }

        /** The guests that are served, with their paths; null for every one. */
        public Map<Integer, List<String>> guests() {
            return guests;
        }

        /**
         * How many bytes the kernel is to hold for an AF_VSOCK link each way, 64 KiB to 1 GiB; {@link
         * #DEFAULT_VSOCK_BUFFER_LENGTH} by default.
         */
        public Context vsockBufferLength(final long length) {
            this.vsockBufferLength = length;
            return this;
        }

        /** How many bytes the kernel is to hold for an AF_VSOCK link each way. */
        public long vsockBufferLength() {
            return vsockBufferLength;
        }

        /**
         * Lets the other side connect to {@code name} as if it were the path of a unix socket here; a component
         * answers. None by default.
         *
         * @param name 1 to 107 bytes in UTF-8, no NUL. Nothing of that name has to be in the file system.
         */
        public Context accept(final String name, final ChannelAcceptor acceptor) {
            if (acceptors.putIfAbsent(name, acceptor) != null) {
                throw new IllegalArgumentException("'" + name + "' has an acceptor already");
            }
            return this;
        }

        /** Components that the other side may ask to be connected to, by name. */
        public Map<String, ChannelAcceptor> acceptors() {
            return Collections.unmodifiableMap(acceptors);
        }

        /** Is told of sessions; nobody by default. */
        public Context sessionListener(final SessionListener listener) {
            this.sessionListener = listener;
            return this;
        }

        /** Who is told of sessions. */
        public SessionListener sessionListener() {
            return sessionListener;
        }

        /**
         * Is told, on the engine's thread, of exceptions that callbacks of components throw, and of faults of the
         * engine itself; the proxy goes on. By default they are logged (System.Logger, as errors).
         */
        public Context errorHandler(final ErrorHandler handler) {
            this.errorHandler = handler;
            return this;
        }

        /** Who is told of exceptions. */
        public ErrorHandler errorHandler() {
            return errorHandler;
        }

        /** Has a local unix socket stand for one on the other side. None by default. */
        public Context forward(final Forward forward) {
            forwards.add(forward);
            return this;
        }

        /** Local sockets that stand for sockets on the other side. */
        public List<Forward> forwards() {
            return List.copyOf(forwards);
        }

        /**
         * A unix socket beside the link for descriptors that are no sockets, pipes or regular files: the host listens
         * on it, the guest connects to it, and the host serves one guest at a time. For links that do not carry them:
         * AF_VSOCK, or a unix socket with something in between. None by default.
         */
        public Context descriptorSocket(final String path) {
            this.descriptorSocket = path;
            return this;
        }

        /** The unix socket beside the link for descriptors, or null. */
        public String descriptorSocket() {
            return descriptorSocket;
        }

        /**
         * A directory, made if need be, to mount regular files on that the other side passes to applications. None by
         * default: they are refused. Components take files without it.
         */
        public Context filesDirectory(final Path directory) {
            this.filesDirectory = directory;
            return this;
        }

        /**
         * Whether processes of other users may open (through /proc) and examine files that were passed to them; false
         * by default. Reading and writing a descriptor that one has is open to all anyway.
         */
        public Context filesAllowOther(final boolean allow) {
            this.filesAllowOther = allow;
            return this;
        }

        /** Whether processes of other users may open and examine files. */
        public boolean filesAllowOther() {
            return filesAllowOther;
        }

        /** The directory for regular files, or null. */
        public Path filesDirectory() {
            return filesDirectory;
        }

        /** What each peer is held to; {@link SessionLimits#DEFAULTS} by default. */
        public Context limits(final SessionLimits newLimits) {
            this.limits = newLimits;
            return this;
        }

        /** What each peer is held to. */
        public SessionLimits limits() {
            return limits;
        }

        /** What is agreed with a peer of our kind; {@link Extensions#DEFAULTS} by default. */
        public Context extensions(final Extensions newExtensions) {
            this.extensions = newExtensions;
            return this;
        }

        /** What is agreed with a peer of our kind. */
        public Extensions extensions() {
            return extensions;
        }

        /** How many file requests may be waiting for disks at once, each on a thread; 4 by default, 1 to 1024. */
        public Context fileWorkerThreads(final int threads) {
            this.fileWorkerThreads = threads;
            return this;
        }

        /** How many file requests may be waiting for disks at once. */
        public int fileWorkerThreads() {
            return fileWorkerThreads;
        }

        /**
         * How long, in ns, the loop looks for something to do before it sleeps, while there is much to do; 0, the
         * default, never; 1 s at most. Buys latency with CPU time: 100 us is a good value.
         */
        public Context spinLimitNs(final long newSpinLimitNs) {
            this.spinLimitNs = newSpinLimitNs;
            return this;
        }

        /** How long the loop looks for something to do before it sleeps, in ns. */
        public long spinLimitNs() {
            return spinLimitNs;
        }

        /**
         * The processor, numbered from 0 as in sched_setaffinity(2), that the loop's thread and the file workers, which
         * it starts, stay on; {@link #ANY_CPU}, the default, leaves that to the scheduler. The thread that turns an
         * embedded proxy is the component's, to place as it likes: this is not for it.
         */
        public Context cpu(final int newCpu) {
            this.cpu = newCpu;
            return this;
        }

        /** The processor that the loop's thread stays on, or {@link #ANY_CPU}. */
        public int cpu() {
            return cpu;
        }

        /**
         * Who may connect to the unix sockets that this proxy listens on; its own user and group (0660) by default.
         */
        public Context socketAccess(final SocketAccess access) {
            this.socketAccess = access;
            return this;
        }

        /** Who may connect to the unix sockets that this proxy listens on. */
        public SocketAccess socketAccess() {
            return socketAccess;
        }

        /**
         * A socket that listens already on one of this proxy's addresses, and is used instead of making one;
         * its path is not removed in the end. Takes ownership, also where the proxy is then not made.
         */
        public Context listeningSocket(final OwnedFd socket) {
            listeningSockets.add(socket);
            return this;
        }

        /** Sockets that listen already. */
        public List<OwnedFd> listeningSockets() {
            return List.copyOf(listeningSockets);
        }

        /**
         * Has the engine's thread run {@code task} at the start and every {@code intervalNs}, as a sign that it is not
         * stuck; none by default.
         *
         * @param task must not block.
         */
        public Context livenessTask(final long intervalNs, final Runnable task) {
            this.livenessIntervalNs = intervalNs;
            this.livenessTask = task;
            return this;
        }

        /** How often {@link #livenessTask()} runs, in ns; 0 when there is none. */
        public long livenessIntervalNs() {
            return livenessIntervalNs;
        }

        /** What is run as a sign of life, or null. */
        public Runnable livenessTask() {
            return livenessTask;
        }

        /**
         * How long, in ns, a proxy that stops may take to send what applications have written and to deliver what it
         * has received; 5 s by default, 0 for not at all, a year at most. An embedded proxy does not wait.
         */
        public Context drainTimeoutNs(final long timeoutNs) {
            this.drainTimeoutNs = timeoutNs;
            return this;
        }

        /** How long a proxy that stops may take to send and deliver what it has, in ns. */
        public long drainTimeoutNs() {
            return drainTimeoutNs;
        }

        /**
         * A file in which other processes can see what this proxy does, while it runs; none by default. One that is
         * there is replaced.
         *
         * @see io.vsockproxy.counters.CounterFileReader
         */
        public Context countersFile(final Path file) {
            this.countersFile = file;
            return this;
        }

        /** The file of counters, or null. */
        public Path countersFile() {
            return countersFile;
        }

        /** How many guests a host serves at once; 64 by default, 1 to 65,536. One more is refused. */
        public Context maxSessions(final int newMaxSessions) {
            this.maxSessions = newMaxSessions;
            return this;
        }

        /** How many guests a host serves at once. */
        public int maxSessions() {
            return maxSessions;
        }

        /**
         * Checks that everything is there and holds together; for {@link VsockProxy#launch} and {@link
         * VsockProxy#embed}, which call it.
         *
         * @throws IllegalArgumentException when it does not; listening sockets are closed then.
         * @throws IllegalStateException    when this context was concluded before.
         * @throws IllegalAccessError       when the JVM was started without a flag, which the message names.
         */
        public Context conclude() {
            JvmFlags.requireExports();
            if (concluded) {
                throw new IllegalStateException("this context has been used already");
            }
            concluded = true;
            try {
                ContextChecks.check(this);
            } catch (final IllegalArgumentException e) {
                listeningSockets.forEach(OwnedFd::close);
                throw e;
            }
            return this;
        }
    }
}
