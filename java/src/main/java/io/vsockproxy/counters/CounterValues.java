/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.counters;

import java.util.EnumMap;
import java.util.Map;
import org.agrona.collections.MutableLong;

/**
 * A value for each counter, for adding up. Confined to one thread.
 */
public final class CounterValues {
    private final Map<CounterId, MutableLong> values = new EnumMap<>(CounterId.class);

    /** All of them 0. */
    public CounterValues() {
        for (final CounterId id : CounterId.values()) {
            values.put(id, new MutableLong());
        }
    }

    /** One counter's. */
    public long get(final CounterId id) {
        return values.get(id).get();
    }

    /** Adds to one. */
    public void add(final CounterId id, final long value) {
        values.get(id).addAndGet(value);
    }

    /** Raises one to {@code value}. */
    public void raise(final CounterId id, final long value) {
        final MutableLong raised = values.get(id);
        raised.set(Math.max(raised.get(), value));
    }

    /** Takes all from others. */
    public void set(final CounterValues others) {
        values.forEach((id, value) -> value.set(others.get(id)));
    }

    /** Makes all 0. */
    public void clear() {
        values.values().forEach(value -> value.set(0));
    }
}
