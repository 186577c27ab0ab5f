/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.jna.Library;
import io.vsockproxy.testing.CompiledClasses;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/**
 * Proxies share no state: every static field of the engine's classes is final, and its value is immutable.
 */
class NoStaticStateTest {
    /** Immutable, or with no state of ours in it. */
    private static final List<Class<?>> IMMUTABLE = List.of(
        String.class, Number.class, Boolean.class, Character.class, Enum.class, Class.class, Pattern.class, Path.class,
        System.Logger.class, VarHandle.class, MethodHandle.class, Library.class);
    private static final String IMMUTABLE_COLLECTIONS = "java.util.ImmutableCollections";

    /** Arrays that their class fills when it is initialised, and nobody writes to later: private, and not given out. */
    private static final Set<String> TABLES = Set.of("io.vsockproxy.wire.MessageLayout.MEANINGS");

    /** What the test must find, and what it must not. */
    @SuppressWarnings("UnusedVariable")
    private static final class Changing {
        private static final Object FINE = List.of(1, "two");
        private static final int[] ARRAY = {1};
        private static final Collection<Object> LIST = new ArrayList<>();
        private static final Object[] NESTED = {new int[1]};
        private static int number;

        private final int field = number++;
    }

    @Test
    void shouldHaveNoStaticFieldThatCanChange() throws Exception {
        final List<Class<?>> classes = CompiledClasses.all();
        assertTrue(classes.contains(VsockProxy.class), "the classes were not found");
        final List<String> changing = new ArrayList<>();
        for (final Class<?> type : classes) {
            changing.addAll(changing(type));
        }
        changing.removeAll(TABLES);
        assertEquals(List.of(), changing);
    }

    @Test
    void shouldFindWhatCanChange() throws Exception {
        final String prefix = Changing.class.getName() + ".";
        assertEquals(
            Set.of(prefix + "ARRAY", prefix + "LIST", prefix + "NESTED", prefix + "number"),
            Set.copyOf(changing(Changing.class)));
    }

    private static List<String> changing(final Class<?> type) throws IllegalAccessException {
        final List<String> changing = new ArrayList<>();
        for (final Field field : type.getDeclaredFields()) {
            // Synthetic fields are the compiler's, for switches, enums and assertions.
            if (Modifier.isStatic(field.getModifiers()) && !field.isSynthetic()) {
                field.setAccessible(true);
                if (!Modifier.isFinal(field.getModifiers()) || !isImmutable(field.get(null))) {
                    changing.add(type.getName() + "." + field.getName());
                }
            }
        }
        return changing;
    }

    private static boolean isImmutable(final Object value) throws IllegalAccessException {
        if (value == null || IMMUTABLE.stream().anyMatch(type -> type.isInstance(value))) {
            return true;
        }
        if (value.getClass().isArray()) {
            return Array.getLength(value) == 0;
        }
        if (value.getClass().getName().startsWith(IMMUTABLE_COLLECTIONS)) {
            for (final Object element : value instanceof Map<?, ?> map ? map.values() : (Collection<?>) value) {
                if (!isImmutable(element)) {
                    return false;
                }
            }
            return true;
        }
        return value.getClass().getName().startsWith("io.vsockproxy.") && hasImmutableFields(value);
    }

    private static boolean hasImmutableFields(final Object value) throws IllegalAccessException {
        for (Class<?> type = value.getClass(); type != null; type = type.getSuperclass()) {
            for (final Field field : type.getDeclaredFields()) {
                if (Modifier.isStatic(field.getModifiers())) {
                    continue;
                }
                field.setAccessible(true);
                if (!Modifier.isFinal(field.getModifiers()) || !isImmutable(field.get(value))) {
                    return false;
                }
            }
        }
        return true;
    }
}
