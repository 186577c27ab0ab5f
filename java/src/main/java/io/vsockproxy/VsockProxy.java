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
import java.util.Objects;
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
 * <p>One thread, the <em>engine's thread</em>, runs the proxy: its own ({@link #launch}), or a component's ({@link
 * #embed}). All methods here may be called from any thread. Proxies share nothing with each other; there may be any
 * number in one process.
 */
public final class VsockProxy implements AutoCloseable {
    /** For {@link Context#cpu(int)}: wherever the scheduler puts the loop. */
    public static final int ANY_CPU = -1;

    /**
     * The default of {@link Context#vsockBufferLength(long)}, in bytes: 2 MiB. It is large because some kernels reset a
     * connection whose unread packets outgrow the buffer.
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
     * Starts a proxy on a thread of its own, a daemon thread.
     *
     * @param context is checked by this call, and must not be changed or used for another proxy afterwards.
     * @throws IllegalArgumentException when the context is incomplete or contradictory; its listening sockets are then
     *                                  closed.
     * @throws IllegalStateException    when the context has been used before.
     * @throws IllegalAccessError       when the JVM was started without a flag, which the message names.
     * @throws PosixException           when the kernel has no descriptors or memory for it. What goes wrong later on
     *                                  its thread, such as EADDRINUSE, fails {@link #ready}.
     * @throws RuntimeException         when {@link Context#filesDirectory} cannot be mounted or {@link
     *                                  Context#countersFile} cannot be created; the message says why. Nothing stays
     *                                  open.
     * @throws UnsatisfiedLinkError     when the native library cannot be loaded; the message says what was tried, and
     *                                  the remedy.
     */
    public static VsockProxy launch(final Context context) {
        final VsockProxy proxy = new VsockProxy(context.conclude(), false);
        proxy.thread.start();
        return proxy;
    }

    /**
     * Creates a proxy that a component runs on a thread of its choice, by way of {@link #agent}. Parameters and
     * exceptions are those of {@link #launch}.
     */
    public static VsockProxy embed(final Context context) {
        return new VsockProxy(context.conclude(), true);
    }

    /**
     * The engine of an embedded proxy, for the component to run.
     *
     * @throws IllegalStateException when this proxy was launched, and so has a thread of its own.
     */
    public EngineAgent agent() {
        if (thread != null) {
            throw new IllegalStateException("launched: thread " + thread.name() + " runs the engine");
        }
        return agent;
    }

    /**
     * Completes with a human-readable line when the proxy serves: a host at once, a guest when its link is up and its
     * sockets listen. Fails with the reason when the proxy cannot start, and is cancelled when it is closed before it
     * serves.
     */
    public CompletableFuture<String> ready() {
        return ready;
    }

    /**
     * Connects to the unix socket, or the component, at {@code path} on the other side, which must allow it. A guest
     * connects to its host, a host to the guest that connected last; {@link io.vsockproxy.channel.Peer#connect}
     * connects to a particular one.
     *
     * @param path    1 to 107 bytes in UTF-8, no NUL.
     * @param handler hears the outcome once, on the engine's thread.
     * @return false when the proxy is closed, or 4,096 commands are waiting already; the handler is then never called.
     * @throws IllegalArgumentException when {@code path} is not a valid path of a unix socket.
     */
    public boolean connect(final String path, final ChannelHandler handler) {
        SocketAddress.checkPath(path);
        Objects.requireNonNull(handler, "handler");
        return agent.submit(() -> agent.connect(path, handler));
    }

    /**
     * Has {@code command} run on the engine's thread, where channels and files may be used. Commands from one thread
     * run in the order in which they were given. What a command throws goes to the error handler.
     *
     * @return false when the proxy is closed, or 4,096 commands are waiting already; the command is then never run.
     */
    public boolean execute(final Runnable command) {
        return agent.execute(command);
    }

    /**
     * Has an AF_VSOCK host serve these guests from now on, in place of those of {@link Context#guests(Map)}. Sessions
     * of other guests end. A guest that is still served keeps its connections; its new list of paths applies to what it
     * asks for from now on.
     *
     * @param pathsByCid as for {@link Context#guests(Map)}.
     * @return false when the proxy is closed, or 4,096 commands are waiting already; nothing has changed then.
     * @throws IllegalArgumentException when one of the paths is not a valid path of a unix socket.
     * @throws IllegalStateException    when the proxy's context names no guests, so that it serves every one.
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

    /** Ends the current wait of {@link EngineAgent#doWork(long)}, or if there is none, the next one, at once. */
    public void wakeUp() {
        agent.wakeUp();
    }

    /**
     * Waits until a launched proxy has ended.
     *
     * @throws RuntimeException      what ended it, when that was not {@link #close}; an Error is thrown likewise.
     * @throws IllegalStateException when the proxy is embedded: the component itself decides when that ends.
     */
    public void awaitEnd() throws InterruptedException {
        if (thread == null) {
            throw new IllegalStateException("embedded: the component runs the engine");
        }
        thread.awaitEnd();
    }

    /**
     * Stops the proxy. Idempotent.
     *
     * <p>A launched proxy accepts nothing more, brings each session to an orderly end for up to {@link
     * Context#drainTimeoutNs}, then closes what is left, removes the sockets, and ends its thread, for which this
     * method waits. So it must not be called from one of its callbacks, which would wait for themselves.
     *
     * <p>An embedded proxy is closed at once, on the calling thread: that must be the thread that runs it, or the
     * component must have stopped running it. Called from a callback, it takes effect when the turn has ended. {@link
     * EngineAgent#onClose} does the same.
     *
     * @throws IllegalStateException when called from a callback of a launched proxy, or while another thread is in the
     * middle of an embedded proxy's turn.
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
     * What a proxy is to do: fluent setters. {@link VsockProxy#launch} and {@link VsockProxy#embed} check everything
     * once. Each context is for one proxy, and for one thread until the proxy has it; from then on it is only read.
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
         * Lets the other side ask for a connection to the unix socket {@code path}; it must spell the path exactly as
         * given here. None by default.
         *
         * @param path absolute, 1 to 107 bytes in UTF-8, no NUL; or an @ followed by a name in the abstract namespace.
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
         * Has an AF_VSOCK host serve these guests, and no others. By default it serves every guest.
         *
         * @param pathsByCid for each guest's context identifier (unsigned), the unix sockets it may ask to be connected
         *                   to besides those of {@link #allowConnect}, spelled as there. With an empty map, no guest is
         *                   served.
         */
        public Context guests(final Map<Integer, List<String>> pathsByCid) {
            guests = copy(pathsByCid);
            return this;
        }

        /** The guests that are served, with their paths; null when every guest is. */
        public Map<Integer, List<String>> guests() {
            return guests;
        }

        /**
         * How many bytes the kernel may buffer in each direction of an AF_VSOCK link: 64 KiB to 1 GiB, {@link
         * #DEFAULT_VSOCK_BUFFER_LENGTH} by default.
         */
        public Context vsockBufferLength(final long length) {
            this.vsockBufferLength = length;
            return this;
        }

        /** How many bytes the kernel may buffer in each direction of an AF_VSOCK link. */
        public long vsockBufferLength() {
            return vsockBufferLength;
        }

        /**
         * Lets the other side connect to {@code name} as if it were the path of a unix socket here; a component answers
         * in its place. None by default.
         *
         * @param name 1 to 107 bytes in UTF-8, no NUL. Nothing of that name need exist in the file system.
         *
         * @throws IllegalArgumentException when the name has an acceptor already.
         */
        public Context accept(final String name, final ChannelAcceptor acceptor) {
            if (acceptors.putIfAbsent(name, acceptor) != null) {
                throw new IllegalArgumentException("'" + name + "' already has an acceptor");
            }
            return this;
        }

        /** The components that the other side may connect to, by name. */
        public Map<String, ChannelAcceptor> acceptors() {
            return Collections.unmodifiableMap(acceptors);
        }

        /** Who hears when sessions begin and end, on the engine's thread; nobody by default. */
        public Context sessionListener(final SessionListener listener) {
            this.sessionListener = listener;
            return this;
        }

        /** Who hears when sessions begin and end. */
        public SessionListener sessionListener() {
            return sessionListener;
        }

        /**
         * What is called, on the engine's thread, with exceptions that callbacks of components throw and with faults of
         * the engine itself; the proxy goes on. By default they are logged as errors (System.Logger). What the handler
         * itself throws ends the proxy.
         */
        public Context errorHandler(final ErrorHandler handler) {
            this.errorHandler = handler;
            return this;
        }

        /** What is called with exceptions. */
        public ErrorHandler errorHandler() {
            return errorHandler;
        }

        /** Listens on a unix socket here that stands for one on the other side. None by default. */
        public Context forward(final Forward forward) {
            forwards.add(forward);
            return this;
        }

        /** The sockets here that stand for sockets on the other side. */
        public List<Forward> forwards() {
            return List.copyOf(forwards);
        }

        /**
         * The path of a unix socket beside the link that carries descriptors other than sockets, pipes and regular
         * files: the host listens on it, the guest connects to it, and the host then serves one guest at a time. For
         * links that do not carry such descriptors: AF_VSOCK, or a unix socket with a relay in between. None by
         * default.
         */
        public Context descriptorSocket(final String path) {
            this.descriptorSocket = path;
            return this;
        }

        /** The path of the unix socket for descriptors, or null. */
        public String descriptorSocket() {
            return descriptorSocket;
        }

        /**
         * The directory (created if missing) on which to mount a file system for regular files that the other side
         * passes to applications. None by default: such files are then refused. Components receive files without it.
         */
        public Context filesDirectory(final Path directory) {
            this.filesDirectory = directory;
            return this;
        }

        /**
         * Whether processes of other users may examine files that were passed to them, and open them again through
         * /proc; false by default. Whoever holds a descriptor may read and write it in any case.
         */
        public Context filesAllowOther(final boolean allow) {
            this.filesAllowOther = allow;
            return this;
        }

        /** Whether processes of other users may examine and reopen files. */
        public boolean filesAllowOther() {
            return filesAllowOther;
        }

        /** The directory on which regular files are mounted, or null. */
        public Path filesDirectory() {
            return filesDirectory;
        }

        /** What each peer may use up; {@link SessionLimits#DEFAULTS} by default. */
        public Context limits(final SessionLimits newLimits) {
            this.limits = newLimits;
            return this;
        }

        /** What each peer may use up. */
        public SessionLimits limits() {
            return limits;
        }

        /** What to agree on with a peer that knows the protocol's extension; {@link Extensions#DEFAULTS} by default. */
        public Context extensions(final Extensions newExtensions) {
            this.extensions = newExtensions;
            return this;
        }

        /** What to agree on with a peer that knows the protocol's extension. */
        public Extensions extensions() {
            return extensions;
        }

        /** How many file requests may wait for disks at once, each on a thread of its own: 1 to 1024, 4 by default. */
        public Context fileWorkerThreads(final int threads) {
            this.fileWorkerThreads = threads;
            return this;
        }

        /** How many file requests may wait for disks at once. */
        public int fileWorkerThreads() {
            return fileWorkerThreads;
        }

        /**
         * How long, in ns, the busy engine spins, looking for more to do, before it sleeps: up to 1 s; 0, the default,
         * never spins. Spinning buys latency with CPU time: 100 us is a good value. With 0, a large message also wakes
         * up the peer only once, but later.
         */
        public Context spinLimitNs(final long newSpinLimitNs) {
            this.spinLimitNs = newSpinLimitNs;
            return this;
        }

        /** How long the busy engine spins before it sleeps, in ns. */
        public long spinLimitNs() {
            return spinLimitNs;
        }

        /**
         * The processor, numbered from 0 as in sched_setaffinity(2), that a launched proxy's thread and the file
         * workers it starts stay on; {@link #ANY_CPU}, the default, leaves that to the scheduler. Ignored by an
         * embedded proxy: its thread is the component's to place.
         */
        public Context cpu(final int newCpu) {
            this.cpu = newCpu;
            return this;
        }

        /** The processor that the engine's thread stays on, or {@link #ANY_CPU}. */
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
         * A socket that listens already on one of this proxy's addresses, to be used instead of creating one; its path
         * is not removed at the end. The proxy takes ownership, even when it then cannot be created.
         */
        public Context listeningSocket(final OwnedFd socket) {
            listeningSockets.add(socket);
            return this;
        }

        /** The sockets that listen already. */
        public List<OwnedFd> listeningSockets() {
            return List.copyOf(listeningSockets);
        }

        /**
         * Has the engine's thread run {@code task} at the start and then every {@code intervalNs}, as a sign that it is
         * not stuck; none by default.
         *
         * @param task must not block. What it throws goes to the error handler.
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
         * How long, in ns, a launched proxy that is stopping may take to send what applications have written and to
         * deliver what it has received: 0 (stop at once) to a year, 5 s by default. An embedded proxy never waits.
         */
        public Context drainTimeoutNs(final long timeoutNs) {
            this.drainTimeoutNs = timeoutNs;
            return this;
        }

        /** How long a proxy that is stopping may take to send and deliver what it has, in ns. */
        public long drainTimeoutNs() {
            return drainTimeoutNs;
        }

        /**
         * A file of counters in which other processes can watch what this proxy does; none by default. It replaces an
         * empty file, or the counters of a proxy that has ended; the proxy cannot be created when anything else is
         * there, or while another proxy keeps its counters there.
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

        /** How many guests a host serves at once: 1 to 65,536, 64 by default. Further ones are refused. */
        public Context maxSessions(final int newMaxSessions) {
            this.maxSessions = newMaxSessions;
            return this;
        }

        /** How many guests a host serves at once. */
        public int maxSessions() {
            return maxSessions;
        }

        /**
         * Checks that this context is complete and consistent, and that it is used for the first time. Throws as {@link
         * VsockProxy#launch} does.
         */
        Context conclude() {
            JvmFlags.requireExports();
            if (concluded) {
                throw new IllegalStateException("this context has already been used");
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
