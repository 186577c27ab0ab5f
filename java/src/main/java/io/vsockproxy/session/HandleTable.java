/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import java.util.Arrays;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;

/**
 * A map from handles to what they name: open addressing over a {@code long[]}, which allocates only to grow. Confined
 * to one thread.
 *
 * <p>The peer chooses half of the handles, so the hash is seeded at random: it cannot choose handles that all collide.
 *
 * @param <T> what a handle names.
 */
public final class HandleTable<T> {
    private static final int INITIAL_CAPACITY = 64;

    private final long multiplier = ThreadLocalRandom.current().nextLong() | 1;
    private long[] keys = new long[INITIAL_CAPACITY];
    private Object[] values = new Object[INITIAL_CAPACITY];
    private int shift = shiftFor(INITIAL_CAPACITY);
    private int size;

    /** How many handles there are. */
    public int size() {
        return size;
    }

    /** What {@code handle} names, or null. */
    @SuppressWarnings("unchecked")
    public T get(final long handle) {
        final int mask = keys.length - 1;
        int index = indexOf(handle);
        Object value = values[index];
        while (value != null) {
            if (keys[index] == handle) {
                return (T)value;
            }
            index = (index + 1) & mask;
            value = values[index];
        }
        return null;
    }

    /**
     * Adds a handle.
     *
     * @throws IllegalStateException when the handle is in the table already.
     */
    public void put(final long handle, final T value) {
        if (size >= keys.length / 2) {
            grow();
        }
        final int index = slotFor(handle);
        if (values[index] != null) {
            throw new IllegalStateException("handle " + handle + " is in use");
        }
        keys[index] = handle;
        values[index] = value;
        size++;
    }

    /** Removes a handle. Returns what it named, or null. */
    @SuppressWarnings("unchecked")
    public T remove(final long handle) {
        final int index = slotFor(handle);
        final Object value = values[index];
        if (value != null) {
            values[index] = null;
            size--;
            closeGap(index);
        }
        return (T)value;
    }

    /** Removes a handle if it names {@code value}. Returns whether it did. */
    public boolean remove(final long handle, final T value) {
        if (get(handle) != value) {
            return false;
        }
        remove(handle);
        return true;
    }

    /** Calls {@code visitor} for every value. It must not change the table. */
    @SuppressWarnings("unchecked")
    public void forEach(final Consumer<T> visitor) {
        for (final Object value : values) {
            if (value != null) {
                visitor.accept((T)value);
            }
        }
    }

    /** Removes everything. */
    public void clear() {
        Arrays.fill(values, null);
        size = 0;
    }

    /** The slot that holds {@code handle}, or the empty slot where it belongs. */
    private int slotFor(final long handle) {
        final int mask = keys.length - 1;
        int index = indexOf(handle);
        while (values[index] != null && keys[index] != handle) {
            index = (index + 1) & mask;
        }
        return index;
    }

    /** Moves entries that had been pushed past the gap back into it, so that no search stops before it reaches them. */
    private void closeGap(final int emptied) {
        final int mask = keys.length - 1;
        int gap = emptied;
        int index = (gap + 1) & mask;
        while (values[index] != null) {
            final int home = indexOf(keys[index]);
            if (((index - home) & mask) >= ((index - gap) & mask)) {
                keys[gap] = keys[index];
                values[gap] = values[index];
                values[index] = null;
                gap = index;
            }
            index = (index + 1) & mask;
        }
    }

    private void grow() {
        final long[] oldKeys = keys;
        final Object[] oldValues = values;
        keys = new long[oldKeys.length * 2];
        values = new Object[keys.length];
        shift = shiftFor(keys.length);
        for (int i = 0; i < oldValues.length; i++) {
            if (oldValues[i] != null) {
                final int index = slotFor(oldKeys[i]);
                keys[index] = oldKeys[i];
                values[index] = oldValues[i];
            }
        }
    }

    private int indexOf(final long handle) {
        final long spread = handle * multiplier;
        return (int) (((spread ^ (spread >>> 32)) * multiplier) >>> shift);
    }

    private static int shiftFor(final int capacity) {
        return Long.numberOfLeadingZeros(capacity) + 1;
    }
}
