/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.counters;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.MappedByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.agrona.CloseHelper;
import org.agrona.IoUtil;
import org.agrona.concurrent.UnsafeBuffer;
import org.agrona.concurrent.status.AtomicCounter;
import org.agrona.concurrent.status.CountersManager;
import org.agrona.concurrent.status.CountersReader;

/**
 * A mapped file that holds a proxy's counters. It is created under another name and then renamed, so a reader always
 * finds a complete file, and one that still reads an earlier proxy's file is not disturbed. The file stays when the
 * proxy has ended.
 *
 * <p>The proxy holds a lock (flock(2)) on its file, which the kernel releases however the process ends: the next proxy
 * knows by it whether the file is in use, and the process id in the file is only for its message.
 *
 * <pre>
 *   0        8                     16      64                                         64 + metadata
 *   | magic | metadata length, int | pid  ... | metadata: CountersManager's, a label each | values, 128 bytes each |
 * </pre>
 *
 * <p>In native byte order. Confined to one thread; readers may be other threads or processes.
 */
public final class CounterFile implements AutoCloseable {
    static final long MAGIC = 0x3153544e43505356L;
    static final int MAGIC_OFFSET = 0;
    static final int METADATA_LENGTH_OFFSET = 8;
    static final int PID_OFFSET = 16;
    static final int HEADER_LENGTH = 64;

    private static final List<CounterId> IDS = List.of(CounterId.values());

    /** Whence, for lseek(2): the end, which is the file's length. */
    private static final int SEEK_END = 2;

    private final MappedByteBuffer mapping;
    /** Holds the lock. */
    private final OwnedFd file;
    private final Map<CounterId, AtomicCounter> counters = new EnumMap<>(CounterId.class);

    /**
     * Creates the file, in place of one that is empty or holds the counters of a proxy that has ended.
     *
     * @throws UncheckedIOException when it cannot be created, when something else is there, or when another proxy keeps
     *                              its counters there.
     */
    public CounterFile(final Path path) {
        final int metadataLength = IDS.size() * CountersReader.METADATA_LENGTH;
        final int valuesLength = IDS.size() * CountersReader.COUNTER_LENGTH;
        final Path temporary = path.resolveSibling(path.getFileName() + "." + ProcessHandle.current().pid());
        MappedByteBuffer mapped = null;
        OwnedFd opened = null;
        // Two proxies that start at once must not both replace it.
        try (OwnedFd replaced = lockExisting(path)) {
            Files.deleteIfExists(temporary);
            // Written with write(2), which reports a full disk, where a store to the mapping would raise SIGBUS.
            // CREATE_NEW, so as not to write through a link that somebody has just put there.
            Files.write(temporary, new byte[HEADER_LENGTH + metadataLength + valuesLength],
                StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
            mapped = IoUtil.mapExistingFile(temporary.toFile(), "counters");
            opened = OwnedFd.open(temporary);
            lock(opened, "another process");
            final UnsafeBuffer buffer = new UnsafeBuffer(mapped);
            final CountersManager manager = new CountersManager(
                new UnsafeBuffer(buffer, HEADER_LENGTH, metadataLength),
                new UnsafeBuffer(buffer, HEADER_LENGTH + metadataLength, valuesLength), StandardCharsets.US_ASCII);
            for (final CounterId id : IDS) {
                counters.put(id, manager.newCounter(id.label(), id.isGauge() ? 0 : 1));
            }
            buffer.putInt(METADATA_LENGTH_OFFSET, metadataLength);
            buffer.putLong(PID_OFFSET, ProcessHandle.current().pid());
            buffer.putLongVolatile(MAGIC_OFFSET, MAGIC);
            if (replaced == null) {
                // Fails if there is a file by now, which a move might not.
                Files.createLink(path, temporary);
                Files.delete(temporary);
            } else {
                Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE);
            }
            mapping = mapped;
            file = opened;
        } catch (final IOException | PosixException e) {
            CloseHelper.quietClose(opened);
            discard(mapped, temporary, e);
            throw new UncheckedIOException("counters cannot be kept in " + path + ": " + reason(e),
                e instanceof IOException io ? io : new IOException(e));
        }
    }

    /**
     * Locks the file that is to be replaced, until the caller closes it.
     *
     * @return null when nothing is there.
     * @throws IOException when it must not be replaced; the reason says why.
     */
    private static OwnedFd lockExisting(final Path path) throws IOException {
        if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            return null;
        }
        if (!Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS)) {
            throw new IOException("it is not a regular file");
        }
        final OwnedFd existing = OwnedFd.open(path);
        try (Memory header = Memory.allocate(HEADER_LENGTH)) {
            // What it has no bytes for stays 0.
            final long length = Syscalls.read(existing.fd(), header.address(), HEADER_LENGTH);
            if (length != 0 && header.buffer().getLong(MAGIC_OFFSET) != MAGIC) {
                throw new IOException("it exists and does not hold counters");
            }
            final long pid = header.buffer().getLong(PID_OFFSET);
            lock(existing, pid == 0 ? "another process" : "process " + pid);
            if (!Files.isSameFile(path, Path.of("/proc/self/fd/" + existing.fd()))) {
                throw new IOException("another process has just replaced it");
            }
            return existing;
        } catch (final IOException | RuntimeException e) {
            existing.close();
            throw e;
        }
    }

    private static void lock(final OwnedFd file, final String owner) throws IOException {
        final int result = Syscalls.flock(file.fd(), Constants.LOCK_EX | Constants.LOCK_NB);
        if (result == -Errno.EAGAIN) {
            throw new IOException("in use by " + owner);
        }
        PosixException.check(result, "flock");
    }

    /** In plain words, without the name of a class or of the temporary file. */
    private static String reason(final Exception problem) {
        if (problem instanceof NoSuchFileException) {
            return "no such directory";
        }
        if (problem instanceof FileAlreadyExistsException) {
            return "another process has just created it";
        }
        if (problem instanceof AccessDeniedException) {
            return "permission denied";
        }
        final String reason = problem instanceof FileSystemException failed ? failed.getReason() : null;
        return reason == null ? problem.getMessage() : reason;
    }

    private static void discard(final MappedByteBuffer mapped, final Path temporary, final Exception reason) {
        IoUtil.unmap(mapped);
        try {
            Files.deleteIfExists(temporary);
        } catch (final IOException e) {
            reason.addSuppressed(e);
        }
    }

    /** Stores these values for readers to see; false when somebody has truncated the file or its disk is full. */
    public boolean show(final CounterValues values) {
        try {
            // Checked first, because compiled code may throw the error below only after this method has returned.
            if (Syscalls.lseek(file.fd(), 0, SEEK_END) < mapping.capacity()) {
                return false;
            }
            for (final CounterId id : IDS) {
                counters.get(id).setRelease(values.get(id));
            }
            return true;
        } catch (final InternalError e) {
            // The JVM turns SIGBUS into an InternalError.
            return false;
        }
    }

    /** From now on another proxy may replace the file. */
    @Override
    public void close() {
        IoUtil.unmap(mapping);
        file.close();
    }
}
