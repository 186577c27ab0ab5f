/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.bench;

import io.vsockproxy.session.HandleTable;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.agrona.collections.Long2ObjectHashMap;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Compares the handle table with java.util.HashMap and Agrona's map for long keys: a look-up, as for each frame, and
 * adding and removing a handle, as for each connection. Half of the handles count up from 1 and half down from -1, as
 * two peers assign them; they are looked up in random order.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
    value = 1,
    jvmArgsAppend = {
        "--add-exports", "java.base/jdk.internal.misc=ALL-UNNAMED", "--enable-native-access=ALL-UNNAMED",
        "-XX:+UseSerialGC"
    })
public class HandleTableBenchmark {
    private static final int LOOKUPS = 1 << 12;

    /** Handles in the table. */
    @Param({"16", "1024", "65536"})
    private int size;

    private final HandleTable<Object> table = new HandleTable<>();
    private final Map<Long, Object> hashMap = new HashMap<>();
    private final Long2ObjectHashMap<Object> agrona = new Long2ObjectHashMap<>();
    private final long[] handles = new long[LOOKUPS];
    private final Object added = new Object();
    private int next;
    private long fresh;

    /** Fills all of them alike. */
    @Setup
    public void fill() {
        for (int i = 0; i < size; i++) {
            final Object value = new Object();
            table.put(handle(i), value);
            hashMap.put(handle(i), value);
            agrona.put(handle(i), value);
        }
        final Random random = new Random(1);
        for (int i = 0; i < LOOKUPS; i++) {
            handles[i] = handle(random.nextInt(size));
        }
        fresh = size;
    }

    /** Looks one up. */
    @Benchmark
    public Object get() {
        return table.get(nextHandle());
    }

    /** The same in a HashMap. */
    @Benchmark
    public Object getHashMap() {
        return hashMap.get(nextHandle());
    }

    /** The same in Agrona's map. */
    @Benchmark
    public Object getAgrona() {
        return agrona.get(nextHandle());
    }

    /** Adds one and removes it again. */
    @Benchmark
    public Object putAndRemove() {
        fresh++;
        table.put(fresh, added);
        return table.remove(fresh);
    }

    /** The same in a HashMap. */
    @Benchmark
    public Object putAndRemoveHashMap() {
        fresh++;
        hashMap.put(fresh, added);
        return hashMap.remove(fresh);
    }

    /** The same in Agrona's map. */
    @Benchmark
    public Object putAndRemoveAgrona() {
        fresh++;
        agrona.put(fresh, added);
        return agrona.remove(fresh);
    }

    private long nextHandle() {
        next = (next + 1) & (LOOKUPS - 1);
        return handles[next];
    }

    private static long handle(final int index) {
        final long number = index / 2 + 1;
        return (index & 1) == 0 ? number : -number;
    }
}
