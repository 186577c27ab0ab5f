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
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;

/**
 * A mount that provides real descriptors for files that are served by {@link FileBackend}s.
 *
 * <p>Every read, write, fstat and truncation of such a descriptor reaches the backend: I/O is direct, nothing is
 * cached, and attributes are never valid for longer than one call. The consequences:
 * <ul>
 * <li>The next read sees what others have written. lseek(SEEK_END) asks for the size.</li>
 * <li>The descriptor shows O_DIRECT; without it, sendfile, splice and copy_file_range would send from the page cache
 *     (from Linux 6.5 on). Whoever clears the flag (F_SETFL), or opens /proc/self/fd/N without it, may send outdated
 *     content. No alignment is required.</li>
 * <li>Reads through io_uring and aio, copy_file_range, FIONREAD and accesses to mappings rely on the size seen last
 *     (when the file was opened, or by an fstat since), so an fstat makes growth visible to them.</li>
 * <li>mmap(MAP_PRIVATE) always works; mmap(MAP_SHARED) from Linux 6.6 on, and before that fails with ENODEV. Each page
 *     of a mapping shows the content at the time it was first touched, until it is mapped again, an fstat shows another
 *     size or modification time, or a write through this mount replaces it. Stores to a shared mapping are written when
 *     it is synchronised or unmapped; with O_APPEND they are refused.</li>
 * <li>The process that serves the mount must not map its files. Unmapping writes pages back, and a first touch reads
 *     them, while the process's memory map is locked or a thread cannot reach a safepoint, and the loop may be waiting
 *     for either. Any other process may map them.</li>
 * <li>A file can be opened again through /proc/self/fd/N, with no more access than was granted.</li>
 * <li>If it was opened with O_APPEND, the backend must append. If an application sets O_APPEND later, {@link
 *     FuseRequest#isAppending} tells.</li>
 * <li>Without {@code allowOther} only processes of the mounting user may open the files again or call fstat on them;
 *     the kernel does not check reads and writes of an open descriptor.</li>
 * <li>As with a file on a disk, no read, fstat or fsync ends because of a signal that the caller survives, and no write
 *     or truncation because of any signal. A caller that is killed is released, except from a write or
 *     truncation.</li>
 * </ul>
 *
 * <p>Threading: confined to the loop's thread; before the loop's first turn, to any one thread. Between {@link #mount}
 * and {@link #close} the loop must turn, or whoever touches the mount waits.
 */
public final class FuseMount implements AutoCloseable {
    /** The most bytes that one read or write can ask for. */
    public static final int MAX_DATA_LENGTH = FuseChannel.MAX_DATA_LENGTH;

    /** Bytes in front of a write's data that {@link FileBackend#write} may overwrite. */
    public static final int WRITE_SCRATCH_LENGTH = FuseChannel.DATA_OFFSET;

    private static final Logger LOGGER = System.getLogger(FuseMount.class.getName());
    private static final String RANDOM_DEVICE = "/dev/urandom";
    private static final int NAME_BYTES = 2 * Long.BYTES;
    /** How often callers that have survived a signal are checked for one that kills. */
    private static final long SIGNAL_REVIEW_NS = TimeUnit.MILLISECONDS.toNanos(100);
    /** When to read on after a request could not be read. So the mount bears that for about five seconds. */
    private static final long READ_RETRY_NS = TimeUnit.MILLISECONDS.toNanos(10);

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
    private final Timer readTimer = new Timer(this::updateInterest);
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
     * <p>The directory is created (mode 0700) if it does not exist. A mount that a killed process has left on it is
     * removed first; one that is still served is an error. Uses mount(2) as root, and fusermount3 otherwise. Blocks for
     * as long as that takes, and up to two seconds for an existing mount that does not answer.
     *
     * @param workers    threads that can wait for another mount to answer, and for files to be closed.
     * @param allowOther whether users other than the mounting one may open files and call fstat on them; unless root,
     *                   this requires user_allow_other in /etc/fuse.conf.
     * @throws MountException when that is not possible; the message says why.
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
            final FuseMount mount = new FuseMount(loop, workers, mountPoint, random, opener);
            if (!DeadlySignals.areVisible()) {
                LOGGER.log(Level.WARNING, "other users'' processes are hidden from this one in /proc (hidepid, or "
                    + "ProtectProc= in a unit): every signal, not only one that kills, interrupts whoever waits for a "
                    + "file on {0} (EINTR)", directory);
            }
            return mount;
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

    /** Whether it is still served, that is, neither closed nor unmounted by somebody else. */
    public boolean isServed() {
        return !closed;
    }

    /** How many requests wait for their backends' answers. */
    public int requestCount() {
        return server.requestCount();
    }

    /** How many files a backend or the kernel still refers to. */
    public int fileCount() {
        return nodes.size();
    }

    /**
     * Opens a descriptor for a new file that {@code backend} serves.
     *
     * @param flags      flags of open(2): O_RDONLY, O_WRONLY or O_RDWR, and O_APPEND or, for a stream, O_NONBLOCK;
     *                   others are ignored.
     * @param completion called on the loop's thread, later; or before this returns when the mount has ended.
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
     * If the opening of {@code backend}'s file waits for its attributes, goes on without them. The file then shows a
     * size of 0, also to a mapping, until somebody calls fstat.
     */
    public void openUnexamined(final FileBackend backend) {
        for (final PendingOpen pending : pendingOpens.values().toArray(new PendingOpen[0])) {
            if (pending.node().backend() == backend) {
                onExamined(pending.node());
            }
        }
    }

    /** Closes a descriptor of this mount on a worker, without waiting for it. Takes ownership. */
    public void dispose(final OwnedFd descriptor) {
        try {
            workers.execute(descriptor::close);
        } catch (final RejectedExecutionException e) {
            // The workers have stopped. This does not wait: with FOPEN_NOFLUSH, close sends no request.
            descriptor.close();
        }
    }

    /**
     * The backend of {@code fd}, if that is a file of this mount whose backend has not been released; otherwise null.
     * Borrows {@code fd}. Does not ask the file system, so it may be called on the loop.
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

    /** Makes whoever polls look again. {@code waker} is what {@link FileBackend#poll} was given. */
    public void wake(final long waker) {
        server.wake(waker);
    }

    /** At the end of this turn, offers the writes for which {@link FileBackend#write} had no room again. */
    public void resume() {
        loop.atEndOfTurn(resumeTask);
    }

    /**
     * Ends the mount: every waiting request is answered with EIO, every later use of a descriptor fails with ENOTCONN,
     * each backend is released, and each pending open fails. Later answers of backends are dropped. Does not wait.
     * Idempotent.
     */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        registration.cancel();
        loop.cancel(signalTimer);
        loop.cancel(readTimer);
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
        if (readTimer.isScheduled()) {
            // The end of the connection is reported whatever the interest is, and will be again.
            return;
        }
        final FuseServer.Outcome outcome = server.serve();
        if (outcome == FuseServer.Outcome.ENDED) {
            // As when it was unmounted or aborted by somebody else.
            close();
            return;
        }
        if (outcome == FuseServer.Outcome.READ_FAILED && !closed) {
            loop.schedule(readTimer, READ_RETRY_NS);
        }
        updateInterest();
        scheduleSignalReview();
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
            registration.interest(readTimer.isScheduled() ? 0 : Constants.EPOLLIN);
        }
    }

    private void onResume() {
        if (!closed) {
            server.resume();
        }
    }

    /** The attributes are known, or cannot be: now the file can be opened, for which only this thread has to answer. */
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

    /** A random name; null when the kernel gives no random bits. */
    private FuseName newName() {
        if (Syscalls.read(random.fd(), scratch.address(), NAME_BYTES) != NAME_BYTES) {
            return null;
        }
        return new FuseName(scratch.buffer().getLong(0), scratch.buffer().getLong(Long.BYTES));
    }
}
