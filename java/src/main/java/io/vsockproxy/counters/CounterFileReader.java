/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.counters;

import java.io.IOException;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import org.agrona.IoUtil;
import org.agrona.concurrent.UnsafeBuffer;
import org.agrona.concurrent.status.CountersReader;

/**
 * Reads the {@link CounterFile} of a proxy in this or another process, while it is being written.
 *
 * <p>It goes by the labels in the file, so that counters of another version are shown too. For one thread at a time.
 */
public final class CounterFileReader implements AutoCloseable {
    /** The type id of a gauge. */
    private static final int GAUGE = 0;

    /**
     * One counter, as it was when read.
     *
     * @param value the counter's value, in the unit that its label names.
     * @param gauge whether it is a current value, rather than a count of what has happened so far.
     */
    public record Value(long value, boolean gauge) { }

    private final MappedByteBuffer mapping;
    private final CountersReader reader;
    private final long pid;
    private boolean closed;

    /**
     * Maps the file.
     *
     * @throws IOException when it is missing, unreadable, or not a file of counters.
     */
    public CounterFileReader(final Path path) throws IOException {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            mapping = channel.map(FileChannel.MapMode.READ_ONLY, 0, Math.min(channel.size(), Integer.MAX_VALUE));
        }
        mapping.order(ByteOrder.nativeOrder());
        final int length = mapping.capacity();
        final int metadataLength =
            length < CounterFile.HEADER_LENGTH || mapping.getLong(CounterFile.MAGIC_OFFSET) != CounterFile.MAGIC ? -1
                : mapping.getInt(CounterFile.METADATA_LENGTH_OFFSET);
        if (metadataLength < 0 || metadataLength % CountersReader.METADATA_LENGTH != 0
            || CounterFile.HEADER_LENGTH + (long) metadataLength * 5 / 4 != length) {
            IoUtil.unmap(mapping);
            throw new IOException(path + ": not a counters file, or one of a different version");
        }
        pid = mapping.getLong(CounterFile.PID_OFFSET);
        final UnsafeBuffer buffer = new UnsafeBuffer(mapping);
        final int valuesIndex = CounterFile.HEADER_LENGTH + metadataLength;
        reader = new CountersReader(
            new UnsafeBuffer(buffer, CounterFile.HEADER_LENGTH, metadataLength),
            new UnsafeBuffer(buffer, valuesIndex, length - valuesIndex), StandardCharsets.US_ASCII);
    }

    /** The id of the process that writes the file, or has written it. */
    public long pid() {
        return pid;
    }

    /**
     * The current value of every counter by label ({@link CounterId#label}), in the file's order.
     *
     * @throws IllegalStateException when this is closed.
     */
    public Map<String, Value> values() {
        if (closed) {
            throw new IllegalStateException("closed");
        }
        final Map<String, Value> values = new LinkedHashMap<>();
        reader.forEach((counterId, typeId, key, label) ->
            values.put(label, new Value(reader.getCounterValue(counterId), typeId == GAUGE)));
        return values;
    }

    /** Unmaps the file. Idempotent. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            IoUtil.unmap(mapping);
        }
    }
}
