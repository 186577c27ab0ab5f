/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import com.sun.jna.LastErrorException;
import com.sun.jna.NativeLong;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.JvmFlags;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Paths;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.StatusFlags;
import io.vsockproxy.posix.Syscalls;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * A directory on which the file system is mounted: prepares it, mounts and unmounts.
 *
 * <p>Uses mount(2) and umount2(2) as root, and {@link Fusermount} otherwise.
 */
final class MountPoint {
    private static final String NAME = "vsock-proxy";
    private static final String DEVICE = "/dev/fuse";
    private static final long LIVENESS_TIMEOUT_MS = 2000;
    private static final int MAX_STALE_MOUNTS = 16;

    private final Path directory;
    private final OwnedFd device;
    private final boolean isOurOwn;
    private final MountTable.Entry entry;

    private MountPoint(
        final Path directory, final OwnedFd device, final boolean isOurOwn, final MountTable.Entry entry) {
        this.directory = directory;
        this.device = device;
        this.isOurOwn = isOurOwn;
        this.entry = entry;
    }

    /**
     * Mounts on {@code path}, which is created if it does not exist. A mount that a killed process has left on it is
     * removed first.
     *
     * @param workers one of these threads asks an existing mount whether it is alive, which may take for ever.
     * @throws MountException when that is not possible.
     */
    static MountPoint mount(final Path path, final boolean allowOther, final Executor workers) {
        loadJna(path);
        try {
            final Path directory = prepare(path, workers);
            final String options = "max_read=" + FuseChannel.MAX_DATA_LENGTH + (allowOther ? ",allow_other" : "");
            OwnedFd device = mountAsRoot(directory, options);
            final boolean isOurOwn = device != null;
            if (device == null) {
                device = Fusermount.mount(
                    Fusermount.PROGRAM,
                    directory,
                    "nosuid,nodev,noexec,fsname=" + NAME + ",subtype=" + NAME + "," + options);
            }
            return finish(directory, device, isOurOwn);
        } catch (final IOException e) {
            throw new MountException("cannot mount on " + path + ": " + reason(e), e);
        }
    }

    private static String reason(final IOException problem) {
        if (problem instanceof FileAlreadyExistsException existing) {
            return existing.getFile() + " is not a directory";
        }
        return problem instanceof AccessDeniedException denied
            ? denied.getFile() + ": permission denied" : problem.toString();
    }

    /** JNA unpacks a native library at its first use, which can fail just as ours can. */
    private static void loadJna(final Path path) {
        try {
            LibC.INSTANCE.getuid();
        } catch (final LinkageError e) {
            throw new MountException("cannot mount on " + path + ": JNA, which mounts, cannot load its native library: "
                + e + "; set -Djna.tmpdir to a directory that exists, may be written to and is not mounted noexec, and "
                + "start the JVM with " + JvmFlags.enableNativeAccess(), e);
        }
    }

    /** The absolute path, without symbolic links. */
    Path directory() {
        return directory;
    }

    /** /dev/fuse, O_NONBLOCK; the caller owns it. */
    OwnedFd device() {
        return device;
    }

    /** This mount's entry, with the device numbers that its files show. */
    MountTable.Entry entry() {
        return entry;
    }

    /**
     * Unmounts it, which ends it for everybody at once, unless something else is mounted there by now. As root it may
     * still be served before that.
     */
    void unmount() {
        try {
            if (!entry.equals(MountTable.find(directory))) {
                return;
            }
            if (isOurOwn) {
                // Forced, because pages of shared mappings would otherwise be written back, which needs an answer from
                // this very thread.
                LibC.INSTANCE.umount2(
                    directory.toString(), Constants.MNT_FORCE | Constants.MNT_DETACH | Constants.UMOUNT_NOFOLLOW);
            } else {
                Fusermount.unmount(Fusermount.PROGRAM, directory);
            }
        } catch (final IOException | LastErrorException | MountException | PosixException e) {
            // It stays as a dead mount, which the next start removes.
            return;
        }
    }

    /** Whether the device must be closed before {@link #unmount}, which would otherwise wait for it to be served. */
    boolean needsClosedDevice() {
        return !isOurOwn;
    }

    private static MountPoint finish(final Path directory, final OwnedFd device, final boolean isOurOwn)
        throws IOException {
        StatusFlags.setNonBlocking(device.fd());
        final MountTable.Entry entry = MountTable.find(directory);
        if (entry == null || !entry.isFuse()) {
            device.close();
            throw new MountException("mounted on " + directory + ", but it does not show in /proc/self/mountinfo");
        }
        return new MountPoint(directory, device, isOurOwn, entry);
    }

    private static Path prepare(final Path path, final Executor workers) throws IOException {
        // Only links in the parent are resolved at first, because the directory itself may be a mount that does not
        // answer.
        final Path absolute = path.toAbsolutePath().normalize();
        final Path parent = absolute.getParent();
        if (parent == null) {
            throw new MountException("cannot mount on " + absolute);
        }
        createDirectories(parent);
        Path directory = parent.toRealPath().resolve(absolute.getFileName());
        if (MountTable.find(directory) == null && Files.isSymbolicLink(directory)) {
            directory = directory.toRealPath();
        }
        clear(directory, workers);
        createDirectories(directory);
        requireEmpty(directory);
        return directory;
    }

    /** A mount hides what is in the directory; if that is /proc or the like, this process could not go on. */
    private static void requireEmpty(final Path directory) throws IOException {
        try (DirectoryStream<Path> content = Files.newDirectoryStream(directory)) {
            if (content.iterator().hasNext()) {
                throw new MountException("cannot mount on " + directory + ": it is not empty");
            }
        }
    }

    private static void createDirectories(final Path directory) throws IOException {
        if (!Files.isDirectory(directory)) {
            Files.createDirectories(
                directory, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        }
    }

    private static void clear(final Path directory, final Executor workers) throws IOException {
        for (int i = 0; i < MAX_STALE_MOUNTS; i++) {
            final MountTable.Entry present = MountTable.find(directory);
            if (present == null || !present.isFuse()) {
                return;
            }
            if (!isStale(directory, workers)) {
                throw new MountException("cannot mount on " + directory + ": another file system (" + present.type()
                    + " of " + present.source() + ") is mounted there and in use; choose another directory, or stop"
                    + " what serves it");
            }
            try {
                LibC.INSTANCE.umount2(directory.toString(), Constants.MNT_DETACH | Constants.UMOUNT_NOFOLLOW);
            } catch (final LastErrorException e) {
                final String problem = Fusermount.unmount(Fusermount.PROGRAM, directory);
                if (!problem.isEmpty()) {
                    throw new MountException("cannot unmount what a killed process has left on " + directory + ": "
                        + problem, e);
                }
            }
        }
    }

    /**
     * Whether nobody serves the FUSE mount on {@code directory} any more: then, and only then, the answer is ENOTCONN.
     */
    private static boolean isStale(final Path directory, final Executor workers) {
        final CompletableFuture<Integer> answer =
            CompletableFuture.supplyAsync(() -> statusOf(directory.toString()), workers);
        try {
            return answer.get(LIVENESS_TIMEOUT_MS, TimeUnit.MILLISECONDS) == -Errno.ENOTCONN;
        } catch (final TimeoutException | ExecutionException e) {
            // It is not known to be dead: it may be served by this very thread. A worker that has not begun to ask
            // must not do so later.
            answer.cancel(false);
            return false;
        } catch (final InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private static int statusOf(final String directory) {
        final int fd = Paths.open(directory, Constants.O_PATH | Constants.O_DIRECTORY | Constants.O_CLOEXEC);
        if (fd < 0) {
            return fd;
        }
        try (Memory memory = Memory.allocate(Constants.SIZEOF_STATX)) {
            return Syscalls.statx(fd, 0, Constants.STATX_BASIC_STATS, memory.address());
        } finally {
            Syscalls.close(fd);
        }
    }

    /** Mounts with mount(2). Returns null when this process may not. */
    private static OwnedFd mountAsRoot(final Path directory, final String options) {
        final int fd = Paths.open(DEVICE, Constants.O_RDWR | Constants.O_CLOEXEC | Constants.O_NONBLOCK);
        if (fd == -Errno.ENOENT || fd == -Errno.ENODEV || fd == -Errno.ENXIO) {
            throw new MountException("cannot mount on " + directory + ": this kernel has no " + DEVICE
                + " (module fuse; in a container: pass the device)");
        }
        if (fd < 0) {
            // This process may not open it, but the helper may.
            return null;
        }
        final OwnedFd device = OwnedFd.of(fd);
        final String data = "fd=" + fd + ",rootmode=40000,user_id=" + LibC.INSTANCE.getuid() + ",group_id="
            + LibC.INSTANCE.getgid() + "," + options;
        try {
            LibC.INSTANCE.mount(
                NAME, directory.toString(), "fuse." + NAME,
                new NativeLong(Constants.MS_NOSUID | Constants.MS_NODEV | Constants.MS_NOEXEC), data);
            return device;
        } catch (final LastErrorException e) {
            device.close();
            if (e.getErrorCode() == Errno.EPERM) {
                return null;
            }
            throw new MountException("cannot mount on " + directory + ": " + Errno.name(e.getErrorCode()), e);
        }
    }
}
