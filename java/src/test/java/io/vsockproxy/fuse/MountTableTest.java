/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class MountTableTest {
    private static final List<String> LINES = List.of(
        "22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw",
        "30 22 0:27 / /mnt/files rw,relatime shared:5 master:7 - tmpfs tmpfs rw",
        "31 30 0:45 / /mnt/files rw,nosuid - fuse.vsock-proxy vsock-proxy rw,user_id=0",
        "32 22 0:46 / /mnt/with\\040space\\134and\\011tab rw - fuse some\\040where rw",
        latin1("33 22 0:47 / /mnt/grün rw - fuseblk /dev/sdb1 rw"),
        "nonsense");

    @Test
    void shouldFindTheUppermostMount() {
        assertEquals(
            new MountTable.Entry(0, 45, "fuse.vsock-proxy", "vsock-proxy"),
            MountTable.find(LINES, Path.of("/mnt/files")));
    }

    @Test
    void shouldUndoEscapesAndDecodeNames() {
        assertEquals(46, MountTable.find(LINES, Path.of("/mnt/with space\\and\ttab")).minor());
        assertEquals(47, MountTable.find(LINES, Path.of("/mnt/grün")).minor());
    }

    @Test
    void shouldFindNothingWhereNothingIsMounted() {
        assertNull(MountTable.find(LINES, Path.of("/mnt")));
        assertNull(MountTable.find(LINES, Path.of("/mnt/files/below")));
    }

    @Test
    void shouldTellFuseFromOthers() {
        assertTrue(MountTable.find(LINES, Path.of("/mnt/files")).isFuse());
        assertTrue(MountTable.find(LINES, Path.of("/mnt/grün")).isFuse());
        assertFalse(MountTable.find(LINES, Path.of("/")).isFuse());
    }

    @Test
    void shouldKnowWhatIsMountedHere() throws Exception {
        assertFalse(MountTable.find(Path.of("/proc")).isFuse());
    }

    /** As the file is read: each byte a character. */
    private static String latin1(final String text) {
        return new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
    }
}
