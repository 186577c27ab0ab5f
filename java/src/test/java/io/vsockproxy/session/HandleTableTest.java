/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.testing.Seeds;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HandleTableTest {
    private static final int OPERATIONS = 200_000;

    private final HandleTable<String> table = new HandleTable<>();

    @ParameterizedTest
    @ValueSource(ints = {3, 40, 1000, 100_000})
    void shouldBehaveLikeAHashMap(final int range) {
        final Random random = Seeds.random("shouldBehaveLikeAHashMap");
        final Map<Long, String> model = new HashMap<>();
        for (int i = 0; i < OPERATIONS; i++) {
            // Handles as both sides assign them: consecutive, and of either sign.
            final long handle = random.nextLong(-range, range);
            switch (random.nextInt(5)) {
                case 0, 1 -> {
                    final String value = "value " + i;
                    if (model.putIfAbsent(handle, value) == null) {
                        table.put(handle, value);
                    } else {
                        assertThrows(IllegalStateException.class, () -> table.put(handle, value));
                    }
                }
                case 2 -> assertSame(model.remove(handle), table.remove(handle));
                default -> assertSame(model.get(handle), table.get(handle));
            }
            assertEquals(model.size(), table.size());
        }
        final Set<String> visited = new HashSet<>();
        table.forEach(visited::add);
        assertEquals(new HashSet<>(model.values()), visited);
        assertEquals(model.size(), visited.size());
        table.clear();
        assertEquals(0, table.size());
        model.keySet().forEach(handle -> assertNull(table.get(handle)));
    }

    @Test
    void shouldRemoveAHandleOnlyIfItNamesThatValue() {
        table.put(-1, "first");
        assertTrue(table.remove(-1, "first"));
        assertFalse(table.remove(-1, "first"));
        table.put(-1, "second");
        assertFalse(table.remove(-1, "first"));
        assertEquals("second", table.get(-1));
        assertEquals(1, table.size());
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 1L << 32, (1L << 32) + 1, 1L << 58, 0x5555_5555_5555_5555L})
    void shouldFindHandlesThatAPeerHasSpacedAtItsWill(final long step) {
        final int count = 20_000;
        for (int i = 1; i <= count; i++) {
            table.put(i * step, "value");
            if (i > 3) {
                // Three at a time, so that removals leave gaps everywhere.
                assertEquals("value", table.remove((i - 3) * step));
            }
        }
        assertEquals(3, table.size());
        assertEquals("value", table.get(count * step));
        assertNull(table.get((count - 3) * step));
    }

    @Test
    void shouldKnowTheHandlesAtTheEdges() {
        for (final long handle : new long[] {Long.MIN_VALUE, -1, 0, 1, Long.MAX_VALUE}) {
            assertNull(table.get(handle));
            assertNull(table.remove(handle));
            table.put(handle, "handle " + handle);
        }
        assertEquals(5, table.size());
        assertEquals("handle 0", table.get(0));
        assertEquals("handle " + Long.MIN_VALUE, table.remove(Long.MIN_VALUE));
        assertEquals("handle " + Long.MAX_VALUE, table.get(Long.MAX_VALUE));
    }
}
