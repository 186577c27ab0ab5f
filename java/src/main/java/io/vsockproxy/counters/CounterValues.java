/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.counters;

import java.util.EnumMap;
import java.util.Map;
import org.agrona.collections.MutableLong;

/**
 * One value for each counter, to add up in. Confined to one thread.
 */
public final class CounterValues {
    private final Map<CounterId, MutableLong> values = new EnumMap<>(CounterId.class);

    /** All values are 0. */
    public CounterValues() {
        for (final CounterId id : CounterId.values()) {
            values.put(id, new MutableLong());
        }
    }

    /** The value of one counter. */
    public long get(final CounterId id) {
        return values.get(id).get();
    }

    /** Adds to the value of one counter. */
    public void add(final CounterId id, final long value) {
        values.get(id).addAndGet(value);
    }

    /** Raises the value of one counter to {@code value}, if it is lower. */
    public void raise(final CounterId id, final long value) {
        final MutableLong raised = values.get(id);
        raised.set(Math.max(raised.get(), value));
    }

    /** Copies all values from others. */
    public void set(final CounterValues others) {
        values.forEach((id, value) -> value.set(others.get(id)));
    }
}
