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
 * A mapped file that holds a proxy's counters. It is made under another name and then renamed, so a reader always finds
 * a whole one, and who still reads that of an earlier proxy is not disturbed. It stays when the proxy has ended.
 *
 * <pre>
 *   0        8                     16      64                                         64 + metadata
 *   | magic | metadata length, int | pid  ... | metadata: CountersManager's, a label each | values, 128 bytes each |
 * </pre>
 *
 * <p>Native byte order. Confined to one thread; readers are other threads or processes.
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
     * Makes the file, in place of one that is there.
     *
     * @throws UncheckedIOException when that cannot be; also when there is something else, like a device.
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
            // Written, as only that is told that the disk is full; who writes to a mapping is killed. Never to what
            // somebody has just put there, like a link to another file.
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

    /** Shows these values from now on; false when that cannot be, as somebody has cut the file, or its disk is full. */
    public boolean show(final CounterValues values) {
        try {
            // Looked at first, as compiled code may throw the error below only when this method has returned.
            if (file.length() < mapping.capacity()) {
                return false;
            }
            for (final CounterId id : IDS) {
                counters.get(id).setRelease(values.get(id));
            }
            return true;
        } catch (final IOException | InternalError e) {
            // The error is what the JVM makes of SIGBUS.
            return false;
        }
    }

    @Override
    public void close() {
        IoUtil.unmap(mapping);
        CloseHelper.quietClose(file);
    }
}
