/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Looks up mounts without asking any of the file systems. Source: /proc/self/mountinfo, proc(5).
 */
final class MountTable {
    private static final Path MOUNT_INFO = Path.of("/proc/self/mountinfo");
    private static final int DEVICE_FIELD = 2;
    private static final int PATH_FIELD = 4;
    private static final int OCTAL_DIGITS = 3;

    /**
     * One mount.
     *
     * @param major  of the device number.
     * @param minor  of the device number.
     * @param type   of the file system: {@code fuse.vsock-proxy}.
     * @param source what is mounted, as given to mount(2).
     */
    record Entry(int major, int minor, String type, String source) {
        boolean isFuse() {
            return "fuse".equals(type) || "fuseblk".equals(type) || type.startsWith("fuse.");
        }
    }

    private MountTable() {
    }

    /**
     * The topmost mount on {@code directory}, or null.
     *
     * @param directory an absolute path without symbolic links.
     */
    static Entry find(final Path directory) throws IOException {
        return find(Files.readAllLines(MOUNT_INFO, StandardCharsets.ISO_8859_1), directory);
    }

    /** The last of {@code lines} whose mount point is {@code directory}: later ones lie above earlier ones. */
    static Entry find(final List<String> lines, final Path directory) {
        final String wanted = directory.toString();
        Entry found = null;
        for (final String line : lines) {
            final String[] fields = line.split(" ", -1);
            final int separator = List.of(fields).indexOf("-");
            if (separator > PATH_FIELD && separator + 2 < fields.length
                && wanted.equals(unescape(fields[PATH_FIELD]))) {
                final String device = fields[DEVICE_FIELD];
                final int colon = device.indexOf(':');
                found = new Entry(
                    Integer.parseInt(device, 0, colon, 10),
                    Integer.parseInt(device, colon + 1, device.length(), 10),
                    fields[separator + 1],
                    fields[separator + 2]);
            }
        }
        return found;
    }

    /** Undoes the kernel's octal escapes of space, tab, newline and backslash. */
    private static String unescape(final String field) {
        final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        int i = 0;
        while (i < field.length()) {
            final char character = field.charAt(i);
            if (character == '\\' && i + OCTAL_DIGITS < field.length()) {
                bytes.write(Integer.parseInt(field, i + 1, i + 1 + OCTAL_DIGITS, 8));
                i += 1 + OCTAL_DIGITS;
            } else {
                bytes.write(character);
                i++;
            }
        }
        return bytes.toString(StandardCharsets.UTF_8);
    }
}
