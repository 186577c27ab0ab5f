/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.loop.EndOfTurnTask;
import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.loop.Registration;
import io.vsockproxy.loop.Timer;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Paths;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import java.nio.file.Path;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;

/**
 * A mount that gives out real descriptors for files that a {@link FileBackend} answers for.
 *
 * <p>Every read, write, fstat and truncation of such a descriptor reaches the backend: direct I/O, nothing is cached,
 * and attributes are valid for no time at all. What the kernel makes of that:
 * <ul>
 * <li>Growth and overwriting by others are seen by the next read. lseek(SEEK_END) asks for the size.</li>
 * <li>The descriptor shows O_DIRECT, without which sendfile, splice and copy_file_range would take what they send from
 *     the page cache (from Linux 6.5 on): whoever takes it away (F_SETFL), or opens /proc/self/fd/N without, may send
 *     what was sent before. No alignment is asked for.</li>
 * <li>io_uring and aio reads, copy_file_range, FIONREAD and accesses to mappings trust the size that was seen last
 *     (when the file was opened, or by an fstat since): an fstat makes growth visible to them.</li>
 * <li>mmap(MAP_PRIVATE) always works; mmap(MAP_SHARED) from Linux 6.6 on, ENODEV before. A new mapping shows the
 *     content at the time that each page is first touched; a page that was touched keeps that content until it is
 *     mapped again, until an fstat shows another size or modification time, or until a write through this mount
 *     replaces it. Stores
 *     to a shared mapping are written when it is synchronised or unmapped; with O_APPEND they are refused.</li>
 * <li>The process that serves a mount must not map files of it. Unmapping writes pages back, and a first touch reads
 *     them, with the process's memory map locked or a thread that reaches no safepoint, and the loop may be waiting for
 *     either. Any other process may.</li>
 * <li>Opening /proc/self/fd/N anew works, with no more access than was granted.</li>
 * <li>With O_APPEND among the flags the backend appends. When an application sets O_APPEND itself, later,
 *     {@link FuseRequest#isAppending} says so.</li>
 * <li>Without {@code allowOther} only processes of the mounting user may open, or call fstat on, what they were given;
 *     reads and writes of an open descriptor are not checked by the kernel.</li>
 * <li>As with a disk, no read, fstat or fsync ends for a signal that the caller survives, and no write or truncation
 *     for any; a caller that is killed is let go, but from a write or a truncation.</li>
 * </ul>
 *
 * <p>Threading: the loop's thread, or any one thread before the loop turns. Between {@link #mount} and {@link #close}
 * the loop must turn, or whoever touches the mount waits.
 */
public final class FuseMount implements AutoCloseable {
    /** The most bytes that one read or write asks for. */
    public static final int MAX_DATA_LENGTH = FuseChannel.MAX_DATA_LENGTH;

    /** Bytes in front of a write's data that {@link FileBackend#write} may overwrite. */
    public static final int WRITE_SCRATCH_LENGTH = FuseChannel.DATA_OFFSET;

    private static final String RANDOM_DEVICE = "/dev/urandom";
    private static final int NAME_BYTES = 2 * Long.BYTES;
    /** How soon somebody who has survived a signal is let go when another kills. */
    private static final long SIGNAL_REVIEW_NS = TimeUnit.MILLISECONDS.toNanos(100);

    private final EventLoop loop;
    private final Executor workers;
    private final MountPoint mountPoint;
    private final FuseNodes nodes = new FuseNodes();
    private final Map<FuseNode, PendingOpen> pendingOpens = new LinkedHashMap<>();
    private final EndOfTurnTask resumeTask = new EndOfTurnTask() {
        @Override
        protected void run() {
            onResume();
        }
    };
    private final FuseServer server;
    private final OwnedFd random;
    private final FileOpener opener;
    private final Memory scratch = Memory.allocate(Constants.SIZEOF_STATX);
    private final Registration registration;
    private final Timer signalTimer = new Timer(this::reviewSignalled);
    private boolean closed;

    private FuseMount(
        final EventLoop loop,
        final Executor workers,
        final MountPoint mountPoint,
        final OwnedFd random,
        final FileOpener opener) {
        this.loop = loop;
        this.opener = opener;
        this.workers = workers;
        this.mountPoint = mountPoint;
        this.random = random;
        final FuseChannel channel = new FuseChannel(mountPoint.device());
        server = new FuseServer(
            channel, nodes, LibC.INSTANCE.getuid(), LibC.INSTANCE.getgid(), this::onExamined,
            DeadlySignals::arePendingFor);
        registration = loop.register(channel.fd(), Constants.EPOLLIN, events -> onReady());
    }

    /**
     * Mounts on {@code directory} and serves the mount from {@code loop}.
     *
     * <p>The directory is created (mode 0700) if it is not there. A mount that a killed process has left on it is
     * taken away first; one that is alive is an error. As root by mount(2), else by fusermount3. Blocks: for as long as
     * the helper takes, and up to two seconds for a mount that does not say whether it is alive.
     *
     * @param workers    threads that may wait for another mount to answer, and for files to be closed.
     * @param allowOther whether users other than the mounting one may open files and call fstat on them; without root
     *                   that takes user_allow_other in /etc/fuse.conf.
     * @throws MountException saying what is in the way.
     */
    public static FuseMount mount(
        final EventLoop loop, final Executor workers, final Path directory, final boolean allowOther) {
        final OwnedFd random = OwnedFd.of(PosixException.check(
            Paths.open(RANDOM_DEVICE, Constants.O_RDONLY | Constants.O_CLOEXEC), "open " + RANDOM_DEVICE));
        MountPoint mountPoint = null;
        FileOpener opener = null;
        try {
            mountPoint = MountPoint.mount(directory, allowOther, workers);
            opener = FileOpener.start(loop);
            return new FuseMount(loop, workers, mountPoint, random, opener);
        } catch (final MountException | PosixException e) {
            random.close();
            if (opener != null) {
                opener.close();
            }
            if (mountPoint != null) {
                mountPoint.device().close();
                mountPoint.unmount();
            }
            throw e;
        }
    }

    /** Where it is mounted: absolute, with no symbolic links. */
    public Path directory() {
        return mountPoint.directory();
    }

    /** Whether it is still served: neither closed nor unmounted by somebody else. */
    public boolean isServed() {
        return !closed;
    }

    /** Requests that wait for their backends' answers. */
    public int requestCount() {
        return server.requestCount();
    }

    /** Files that a backend, or the kernel, still knows. */
    public int fileCount() {
        return nodes.size();
    }

    /**
     * Makes a descriptor of a new file that {@code backend} answers for.
     *
     * @param flags      open(2)'s: O_RDONLY, O_WRONLY or O_RDWR, and O_APPEND, or of a stream O_NONBLOCK; others are
     *                   ignored.
     * @param completion is told on the loop's thread, later; or at once when the mount has ended.
     */
    public void open(final FileBackend backend, final int flags, final OpenCompletion completion) {
        final FuseName name = closed ? null : newName();
        if (name == null) {
            completion.onFailed(Errno.EIO);
            backend.released();
            return;
        }
        final int wanted = Constants.O_ACCMODE | (backend.isStream() ? Constants.O_NONBLOCK : Constants.O_APPEND);
        final int granted = flags & wanted;
        final Instant now = Instant.now();
        final FuseNode node = new FuseNode(
            nodes.nextId(), name, granted, backend, TimeUnit.SECONDS.toNanos(now.getEpochSecond()) + now.getNano());
        nodes.add(node);
        final PendingOpen pending = new PendingOpen(
            node, mountPoint.directory() + "/" + name, granted | Constants.O_DIRECT, completion, this::onOpenDone);
        pendingOpens.put(node, pending);
        if (!server.askFirst(node)) {
            pending.complete(-Errno.ENOMEM);
        }
    }

    /**
     * Has the file of {@code backend} opened, if that waits for its attributes, without them: it shows a size of 0,
     * to a mapping too, until somebody asks for them (fstat).
     */
    public void openUnexamined(final FileBackend backend) {
        for (final PendingOpen pending : pendingOpens.values().toArray(new PendingOpen[0])) {
            if (pending.node().backend() == backend) {
                onExamined(pending.node());
            }
        }
    }

    /** Closes a descriptor of this mount without waiting for it. Takes ownership. */
    public void dispose(final OwnedFd descriptor) {
        try {
            workers.execute(descriptor::close);
        } catch (final RejectedExecutionException e) {
            // With FOPEN_NOFLUSH (Linux 5.16), after the first FLUSH, or at the end of the mount this does not wait.
            descriptor.close();
        }
    }

    /**
     * Who answers for {@code fd}, which is borrowed, if it is of this mount and still answered for; else null. Asks
     * nobody, so it may be called on the loop.
     */
    public FileBackend backendOf(final int fd) {
        if (closed || Syscalls.statx(
            fd, Constants.AT_STATX_DONT_SYNC, Constants.STATX_BASIC_STATS, scratch.address()) < 0) {
            return null;
        }
        final MountTable.Entry entry = mountPoint.entry();
        if (scratch.buffer().getInt(Constants.STATX_DEV_MAJOR_OFFSET) != entry.major()
            || scratch.buffer().getInt(Constants.STATX_DEV_MINOR_OFFSET) != entry.minor()) {
            return null;
        }
        final FuseNode node = nodes.get(scratch.buffer().getLong(Constants.STATX_INO_OFFSET));
        return node == null ? null : node.backend();
    }

    /** Whoever polls has to look again: to be called with what {@link FileBackend#poll} was given. */
    public void wake(final long waker) {
        server.wake(waker);
    }

    /** Takes no more requests from the kernel, which keeps them, until {@link #resume}. */
    public void pause() {
        server.pause();
        updateInterest();
    }

    /**
     * At the end of this turn, offers the writes again that {@link FileBackend#write} had no room for, and takes
     * requests again.
     */
    public void resume() {
        loop.atEndOfTurn(resumeTask);
    }

    /**
     * Ends the mount: every request that waits is answered EIO, every later use of a descriptor ENOTCONN, each backend
     * is released and each pending open fails. Answers that backends give afterwards are dropped. Idempotent; does not
     * wait for anybody.
     */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        registration.cancel();
        loop.cancel(signalTimer);
        server.abandonAll();
        if (mountPoint.needsClosedDevice()) {
            server.close();
            mountPoint.unmount();
        } else {
            mountPoint.unmount();
            server.close();
        }
        opener.close();
        final PendingOpen[] unfinished = pendingOpens.values().toArray(new PendingOpen[0]);
        pendingOpens.clear();
        for (final PendingOpen pending : unfinished) {
            pending.cancel();
        }
        nodes.releaseAll();
        random.close();
        scratch.close();
    }

    private void onReady() {
        if (server.serve() < 0) {
            // Unmounted or aborted by somebody else: nothing more will come.
            close();
        } else {
            updateInterest();
            scheduleSignalReview();
        }
    }

    private void reviewSignalled() {
        server.interrupts().review();
        scheduleSignalReview();
    }

    private void scheduleSignalReview() {
        if (server.interrupts().hasSurvivors() && !signalTimer.isScheduled() && !closed) {
            loop.schedule(signalTimer, SIGNAL_REVIEW_NS);
        }
    }

    private void updateInterest() {
        if (!closed) {
            registration.interest(server.isPaused() ? 0 : Constants.EPOLLIN);
        }
    }

    private void onResume() {
        if (!closed) {
            server.resume();
            updateInterest();
        }
    }

    /** The attributes are known (or cannot be): the file can be opened, which waits for nobody but this thread. */
    private void onExamined(final FuseNode node) {
        final PendingOpen pending = pendingOpens.get(node);
        if (pending != null && pending.begin()) {
            opener.open(pending);
        }
    }

    private void onOpenDone(final PendingOpen pending) {
        pendingOpens.remove(pending.node());
        onOpenEnded(pending.node());
    }

    private void onOpenEnded(final FuseNode node) {
        node.onOpenEnded();
        nodes.hide(node);
        nodes.settle(node);
    }

    /** Random bits as they come from the kernel; null when it has none to give. */
    private FuseName newName() {
        if (Syscalls.read(random.fd(), scratch.address(), NAME_BYTES) != NAME_BYTES) {
            return null;
        }
        return new FuseName(scratch.buffer().getLong(0), scratch.buffer().getLong(Long.BYTES));
    }
}
