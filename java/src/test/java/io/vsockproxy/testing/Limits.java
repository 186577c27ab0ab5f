/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import io.vsockproxy.config.SessionLimits;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.Map;

/**
 * The default limits with some of them changed.
 */
public final class Limits {
    private Limits() {
    }

    /** Changes those that {@code changes} names, whose values are converted to int where that is their type. */
    public static SessionLimits with(final Map<String, Long> changes) {
        final RecordComponent[] components = SessionLimits.class.getRecordComponents();
        final Class<?>[] types = new Class<?>[components.length];
        final Object[] values = new Object[components.length];
        int changed = 0;
        try {
            for (int i = 0; i < components.length; i++) {
                types[i] = components[i].getType();
                values[i] = components[i].getAccessor().invoke(SessionLimits.DEFAULTS);
                final Long change = changes.get(components[i].getName());
                if (change != null) {
                    changed++;
                    values[i] = types[i] == int.class ? (Object) Math.toIntExact(change) : change;
                }
            }
            if (changed != changes.size()) {
                throw new IllegalArgumentException("not all of these are limits: " + changes.keySet());
            }
            return SessionLimits.class.getConstructor(types).newInstance(values);
        } catch (final InvocationTargetException e) {
            throw e.getCause() instanceof IllegalArgumentException refused ? refused : new IllegalStateException(e);
        } catch (final ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }
}
