/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import static org.junit.jupiter.api.Assertions.fail;

import io.vsockproxy.channel.ChannelAcceptor;
import io.vsockproxy.channel.DescriptorClass;
import io.vsockproxy.config.Extensions;
import io.vsockproxy.config.SessionLimits;
import io.vsockproxy.file.FileWindows;
import io.vsockproxy.file.FileWorkers;
import io.vsockproxy.fuse.FuseMount;
import io.vsockproxy.link.DescriptorChannel;
import io.vsockproxy.link.LinkSockets;
import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.stream.ChannelCommons;
import io.vsockproxy.stream.StreamCommons;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Limits;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/**
 * What sessions need, without a whole proxy: a loop that the test runs turn by turn, workers, a mount where that is
 * possible, and sockets to connect to. Its limits are low, so that they are reached.
 */
final class FuzzedProxy implements AutoCloseable {
    static final SessionLimits LIMITS = Limits.with(Map.ofEntries(
        Map.entry("maxFrameLength", 256L << 10),
        Map.entry("maxHandles", 24L),
        Map.entry("maxDescriptorsPerFrame", 6L),
        Map.entry("maxPendingConnects", 3L),
        Map.entry("maxPendingFileRequests", 6L),
        Map.entry("maxPendingFileWriteLength", 64L << 10),
        Map.entry("maxStreamQueueLength", 32L << 10),
        Map.entry("maxSessionQueueLength", 96L << 10),
        Map.entry("inboundWindowLength", 64L << 10),
        // Longer than any wait here, so that a stall shows.
        Map.entry("stallTimeoutNs", TimeUnit.SECONDS.toNanos(120)),
        Map.entry("outboundLength", 256L << 10),
        Map.entry("readLength", 32L << 10)));

    static final int WINDOW = 16 << 10;
    private static final int WORKERS = 2;
    /** How many applications may be waiting for files at once, and one more. */
    private static final int THREADS = HostileScript.MAX_FILE_CALLS + 1;
    private static final long TIMEOUT_NS = TimeUnit.SECONDS.toNanos(20);
    private static final long TURN_NS = TimeUnit.MILLISECONDS.toNanos(1);
    private static final int MAX_BUSY_TURNS = 50_000;

    final List<Throwable> faults = new ArrayList<>();
    final EventLoop loop;
    final Endpoint target;
    final FuseMount mount;
    private final Path directory;
    private final FileWorkers workers;
    private final FileWorkers mountWorkers;
    private final FileWindows windows;
    private final StreamCommons commons;
    private final AllowedPaths allowedPaths;
    private final ChannelAcceptors acceptors;
    private final RepeatedLog log = new RepeatedLog(System.getLogger(FuzzedProxy.class.getName()), 64);
    private final ExecutorService threads = Executors.newFixedThreadPool(THREADS);

    /**
     * @param mounts whether to mount a file system for received files.
     */
    FuzzedProxy(final boolean mounts) throws IOException {
        this(mounts, Map.of(), 0);
    }

    /**
     * Also with components.
     *
     * @param components by the names that peers know.
     */
    FuzzedProxy(final boolean mounts, final Map<String, ChannelAcceptor> components) throws IOException {
        this(mounts, components, 0);
    }

    /**
     * Without a mount, and possibly spinning.
     *
     * @param spinLimitNs how long the loop looks for events before it sleeps.
     */
    FuzzedProxy(final long spinLimitNs) throws IOException {
        this(false, Map.of(), spinLimitNs);
    }

    private FuzzedProxy(final boolean mounts, final Map<String, ChannelAcceptor> components, final long spinLimitNs)
        throws IOException {
        loop = new EventLoop(spinLimitNs, faults::add);
        workers = new FileWorkers(loop, WORKERS);
        mountWorkers = new FileWorkers(loop, WORKERS);
        windows = new FileWindows(workers);
        commons = new StreamCommons(loop, LIMITS.maxPacketLength());
        acceptors = new ChannelAcceptors(components);
        directory = Files.createTempDirectory("vp");
        target = Endpoint.listen(targetPath());
        allowedPaths = new AllowedPaths(List.of(targetPath().toString(), nothingPath().toString()));
        mount = mounts ? FuseMount.mount(loop, mountWorkers, filesDirectory(), false) : null;
    }

    /** Where something listens. */
    Path targetPath() {
        return directory.resolve("target");
    }

    /** A path that is allowed, and where nothing is. */
    Path nothingPath() {
        return directory.resolve("nothing");
    }

    /** A session over {@code socket}, of which it takes ownership. */
    Session session(final Endpoint socket, final boolean isHost, final boolean isExtended, final boolean isUnix) {
        return session(socket, isHost, isExtended, isUnix, null);
    }

    /** Also with {@code beside} for what the link does not carry; takes ownership of both. */
    Session session(
        final Endpoint socket,
        final boolean isHost,
        final boolean isExtended,
        final boolean isUnix,
        final DescriptorChannel beside) {
        // Like a link that was accepted or connected.
        socket.setNonBlocking();
        final OwnedFd own = OwnedFd.of(Syscalls.fcntl(socket.fd(), Constants.F_DUPFD_CLOEXEC, 0));
        socket.close();
        LinkSockets.configureUnix(own.fd());
        final Extensions extensions = isExtended
            ? new Extensions(true, WINDOW, 4 * WINDOW, 0, TimeUnit.SECONDS.toNanos(60)) : Extensions.OFF;
        final SessionResources resources = new SessionResources(
            loop, isHost, LIMITS, extensions, commons, acceptors,
            new ChannelCommons(loop, faults::add, LIMITS.maxPacketLength()), workers, windows, mount, log);
        return new Session(resources, allowedPaths, "fuzzed", own, isUnix, beside, (session, reason) -> { });
    }

    /** Whether {@code fd} is a regular file, which only {@link #elsewhere} may touch: this very loop may serve it. */
    boolean isFile(final int fd) {
        return commons.inspector().inspect(fd) == DescriptorClass.REGULAR_FILE;
    }

    /** Turns the loop until there is nothing to do. What keeps it busy for ever fails. */
    void turnUntilIdle() {
        int idle = 0;
        for (int i = 0; idle < 2; i++) {
            idle = loop.turn(0) == 0 ? idle + 1 : 0;
            if (i > MAX_BUSY_TURNS) {
                fail("the loop finds something to do for ever");
            }
        }
    }

    /** Turns the loop until {@code condition} holds. */
    void turnUntil(final BooleanSupplier condition, final Supplier<String> what) {
        final long deadlineNs = System.nanoTime() + TIMEOUT_NS;
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - deadlineNs > 0) {
                fail("not in time: " + what.get());
            }
            loop.turn(TURN_NS);
        }
    }

    /** Has something done by a thread that may wait for the loop. */
    <T> Future<T> begin(final Callable<T> work) {
        return threads.submit(work);
    }

    /** Has something done that waits for the loop, and turns the loop meanwhile. */
    void elsewhere(final Runnable work, final String what) {
        await(begin(Executors.callable(work)), what);
    }

    /** Turns the loop until {@code outcome} is there. */
    void await(final Future<?> outcome, final String what) {
        turnUntil(outcome::isDone, () -> what);
        try {
            outcome.get();
        } catch (final InterruptedException | ExecutionException e) {
            throw new AssertionError(what, e);
        }
    }

    @Override
    public void close() {
        threads.shutdown();
        if (mount != null) {
            mount.close();
        }
        mountWorkers.close();
        workers.close();
        windows.close();
        commons.close();
        allowedPaths.close();
        loop.close();
        target.close();
        try {
            Files.deleteIfExists(targetPath());
            Files.deleteIfExists(filesDirectory());
            Files.delete(directory);
        } catch (final IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private Path filesDirectory() {
        return directory.resolve("files");
    }
}
