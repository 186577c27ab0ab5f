/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Paths;
import io.vsockproxy.posix.Syscalls;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;

/** A mount and the thread that serves it. */
final class Fixture {
    static final long TIMEOUT_SECONDS = 20;

    final EventLoop loop = new EventLoop(0, Fixture::failOn);
    final ExecutorService workers = Executors.newFixedThreadPool(2);
    final FuseMount mount;
    private final Thread thread;
    private volatile boolean stopped;

    /** Mounts on {@code directory}, from the loop's own thread. */
    Fixture(final Path directory) throws Exception {
        thread = new Thread(this::turn, "fuse-loop");
        thread.setDaemon(true);
        thread.start();
        FuseMount made = null;
        try {
            made = onLoop(() -> FuseMount.mount(loop, workers, directory, false));
        } finally {
            if (made == null) {
                stop();
            }
        }
        mount = made;
    }

    /** Skips the test where there is nothing to mount with. */
    static void assumeMountable() {
        final int fd = Paths.open("/dev/fuse", Constants.O_RDWR | Constants.O_CLOEXEC);
        assumeTrue(fd >= 0, () -> "skipped: cannot open /dev/fuse: " + Errno.name(-fd));
        Syscalls.close(fd);
        assumeTrue(LibC.INSTANCE.getuid() == 0, "skipped: mounting takes root");
    }

    /** Runs {@code action} on the loop's thread and waits for what it returns. */
    <T> T onLoop(final Callable<T> action) throws Exception {
        final CompletableFuture<T> result = new CompletableFuture<>();
        loop.execute(() -> {
            try {
                result.complete(action.call());
            } catch (final Throwable e) {
                result.completeExceptionally(e);
            }
        });
        try {
            return result.get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
        } catch (final ExecutionException e) {
            if (e.getCause() instanceof Exception cause) {
                throw cause;
            }
            throw e;
        }
    }

    void run(final Runnable action) throws Exception {
        onLoop(() -> {
            action.run();
            return null;
        });
    }

    /** Waits for what the loop's thread will see. */
    void await(final BooleanSupplier condition) throws Exception {
        final long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(TIMEOUT_SECONDS);
        while (!onLoop(condition::getAsBoolean)) {
            if (System.nanoTime() - deadline > 0) {
                throw new TimeoutException("the condition did not come true");
            }
            Thread.onSpinWait();
        }
    }

    /** A descriptor of a new file. */
    OwnedFd open(final FileBackend backend, final int flags) throws Exception {
        final OwnedFd opened = startOpen(backend, flags).get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
        assertNotNull(opened);
        return opened;
    }

    /** As {@link #open}, without waiting; an error completes it with a {@link OpenFailure}. */
    CompletableFuture<OwnedFd> startOpen(final FileBackend backend, final int flags) throws Exception {
        final CompletableFuture<OwnedFd> result = new CompletableFuture<>();
        run(() -> mount.open(backend, flags, new OpenCompletion() {
            @Override
            public void onOpened(final OwnedFd descriptor) {
                result.complete(descriptor);
            }

            @Override
            public void onFailed(final int errno) {
                result.completeExceptionally(new OpenFailure(errno));
            }
        }));
        return result;
    }

    /** Why an open failed. */
    static final class OpenFailure extends RuntimeException {
        private static final long serialVersionUID = 1L;

        final int errno;

        OpenFailure(final int errno) {
            super(Errno.name(errno));
            this.errno = errno;
        }
    }

    /** Ends the mount and the thread; whoever hangs fails the test. */
    void end() throws Exception {
        if (!stopped) {
            run(mount::close);
            stop();
        }
    }

    private void stop() throws InterruptedException {
        workers.shutdown();
        if (!workers.awaitTermination(TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
            throw new IllegalStateException("a worker hangs");
        }
        stopped = true;
        loop.wakeUp();
        thread.join(TimeUnit.SECONDS.toMillis(TIMEOUT_SECONDS));
        if (thread.isAlive()) {
            throw new IllegalStateException("the loop hangs");
        }
        loop.close();
    }

    private void turn() {
        while (!stopped) {
            loop.turn(-1);
        }
    }

    /** What the loop does with a fault in whoever it calls. */
    static void failOn(final Throwable fault) {
        throw new AssertionError(fault);
    }
}
