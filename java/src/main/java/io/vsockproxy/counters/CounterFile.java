/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.counters;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.MappedByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
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

    private final MappedByteBuffer mapping;
    private final RandomAccessFile file;
    private final Map<CounterId, AtomicCounter> counters = new EnumMap<>(CounterId.class);

    /**
     * Creates the file, replacing an existing one.
     *
     * @throws UncheckedIOException when it cannot be created, or when something other than a regular file is there.
     */
    public CounterFile(final Path path) {
        final int metadataLength = IDS.size() * CountersReader.METADATA_LENGTH;
        final int valuesLength = IDS.size() * CountersReader.COUNTER_LENGTH;
        final Path temporary = path.resolveSibling(path.getFileName() + "." + ProcessHandle.current().pid());
        MappedByteBuffer mapped = null;
        RandomAccessFile opened = null;
        try {
            if (Files.exists(path) && !Files.isRegularFile(path)) {
                throw new FileSystemException(path.toString(), null, "It is no regular file");
            }
            Files.deleteIfExists(temporary);
            // Written with write(2), which reports a full disk, where a store to the mapping would raise SIGBUS.
            // CREATE_NEW, so as not to write through a link that somebody has just put there.
            Files.write(temporary, new byte[HEADER_LENGTH + metadataLength + valuesLength],
                StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
            mapped = IoUtil.mapExistingFile(temporary.toFile(), "counters");
            opened = new RandomAccessFile(temporary.toFile(), "r");
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
            Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE);
            mapping = mapped;
            file = opened;
        } catch (final IOException e) {
            CloseHelper.quietClose(opened);
            discard(mapped, temporary, e);
            throw new UncheckedIOException("counters cannot be kept in " + path + ": " + e, e);
        }
    }

    private static void discard(final MappedByteBuffer mapped, final Path temporary, final IOException reason) {
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
            if (file.length() < mapping.capacity()) {
                return false;
            }
            for (final CounterId id : IDS) {
                counters.get(id).setRelease(values.get(id));
            }
            return true;
        } catch (final IOException | InternalError e) {
            // The JVM turns SIGBUS into an InternalError.
            return false;
        }
    }

    @Override
    public void close() {
        IoUtil.unmap(mapping);
        CloseHelper.quietClose(file);
    }
}
