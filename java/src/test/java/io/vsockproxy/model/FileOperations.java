/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.model;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.Pattern;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.ToLongFunction;

/**
 * Operations on regular files: the same in both worlds, one right after the other, with the same result.
 */
final class FileOperations {
    private static final int MAX_OFFSET = 100_000;
    private static final int MAX_LENGTH = 70_000;
    private static final int[] FLAGS = {
        Constants.O_RDWR, Constants.O_RDWR, Constants.O_RDONLY, Constants.O_WRONLY,
        Constants.O_RDWR | Constants.O_APPEND,
    };

    private final Path directory;

    /**
     * @param directory where the files are until they have been opened.
     */
    FileOperations(final Path directory) {
        this.directory = directory;
    }

    /** A new file of {@code owner}, with something in it. */
    RegularFile create(final int id, final Application owner) {
        final RegularFile file = new RegularFile(id, owner);
        final byte[] content = Pattern.bytes(id, id * 1777 % MAX_LENGTH);
        for (final World world : World.BOTH) {
            file.put(world, id % 4 == 0 ? FileCalls.memfd(content) : open(content, FLAGS[id % FLAGS.length]));
        }
        return file;
    }

    /** Does one thing to it: what, and with what outcome. */
    String carryOut(final RegularFile file, final int choice, final int where) {
        final int offset = where % MAX_OFFSET;
        final int length = choice / 8 % MAX_LENGTH;
        return switch (choice % 4) {
            case 0 -> read(file, offset, length);
            case 1 -> {
                final byte[] bytes = Pattern.bytes(where, length);
                yield same(file, "write " + length + " at " + offset, each -> FileCalls.write(each, offset, bytes));
            }
            case 2 -> same(file, "size", FileCalls::size);
            default -> same(file, "truncate to " + offset, each -> FileCalls.truncate(each, offset));
        };
    }

    private static String read(final RegularFile file, final int offset, final int length) {
        final byte[][] bytes = new byte[World.BOTH.length][length];
        final int[] at = {0};
        final String outcome = same(
            file, "read " + length + " at " + offset, each -> FileCalls.read(each, offset, bytes[at[0]++]));
        if (!Arrays.equals(bytes[0], bytes[1])) {
            throw new AssertionError(file + ": " + outcome + ": wrong byte at "
                + (offset + Arrays.mismatch(bytes[0], bytes[1])));
        }
        return outcome;
    }

    private static String same(final RegularFile file, final String what, final ToLongFunction<Endpoint> call) {
        final long plain = call.applyAsLong(file.in(World.PLAIN));
        final long proxied = call.applyAsLong(file.in(World.PROXIED));
        if (plain != proxied) {
            throw new AssertionError(file + ": " + what + ": " + FileCalls.describe(proxied) + " instead of "
                + FileCalls.describe(plain));
        }
        return what + ": " + FileCalls.describe(plain);
    }

    private Endpoint open(final byte[] content, final int flags) {
        try {
            final Path path = Files.createTempFile(directory, "file", "");
            Files.write(path, content);
            final Endpoint file = Endpoint.open(path, flags);
            Files.delete(path);
            return file;
        } catch (final IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
