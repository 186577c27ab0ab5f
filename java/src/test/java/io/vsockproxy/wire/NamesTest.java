/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.proto.VSockMessage;
import java.util.Locale;
import org.junit.jupiter.api.Test;

class NamesTest {
    @Test
    void shouldNumberAndNameCommandsAsTheSchemaDoes() {
        assertEquals("NONE", Command.name(Command.NONE));
        for (final var field : VSockMessage.getDescriptor().getFields()) {
            assertEquals(field.getName().toUpperCase(Locale.ROOT), Command.name(field.getNumber()));
        }
        assertEquals(Command.FTRUNCATE_RESPONSE, VSockMessage.getDescriptor().getFields().size());
        assertEquals("command -1", Command.name(-1));
        assertEquals("command 13", Command.name(13));
    }

    @Test
    void shouldNumberAndNameDescriptorTypesAsTheSchemaDoes() {
        for (final FileDescriptor.Type type : FileDescriptor.Type.values()) {
            if (type != FileDescriptor.Type.UNRECOGNIZED) {
                assertEquals(type.name(), DescriptorType.name(type.getNumber()));
                assertTrue(DescriptorType.isKnown(type.getNumber()));
            }
        }
        assertFalse(DescriptorType.isKnown(-1));
        assertFalse(DescriptorType.isKnown(8));
        assertEquals("descriptor type 8", DescriptorType.name(8));
    }
}
