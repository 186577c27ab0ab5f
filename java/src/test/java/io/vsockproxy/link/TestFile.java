/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.link;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.testing.Endpoint;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Random;

/**
 * A mapped file of random bytes, for pieces that lie in it.
 */
final class TestFile implements AutoCloseable {
    private final byte[] content;
    private final Endpoint descriptor;
    private final long address;
    private final ArrayList<TestPiece> pieces = new ArrayList<>();
    private int size;

    TestFile(final Path directory, final int length) throws IOException {
        content = new byte[length];
        new Random(length).nextBytes(content);
        size = length;
        final Path path = directory.resolve("mapped");
        Files.write(path, content);
        descriptor = Endpoint.open(path, Constants.O_RDWR);
        address = Syscalls.mmap(0, length, Constants.PROT_READ, Constants.MAP_SHARED, descriptor.fd(), 0);
    }

    TestPiece piece(final int offset, final int length) {
        final TestPiece piece = new TestPiece(null, address + offset, length, false) {
            @Override
            public int readableLength() {
                return Math.max(0, Math.min(length, size - offset));
            }
        };
        pieces.add(piece);
        return piece;
    }

    /** Cuts the file, or extends it with zeros. */
    void cut(final int length) {
        Syscalls.ftruncate(descriptor.fd(), length);
        size = length;
    }

    /** What was written at first. */
    byte[] content(final int offset, final int length) {
        return Arrays.copyOfRange(content, offset, offset + length);
    }

    int released() {
        return pieces.stream().mapToInt(piece -> piece.released).sum();
    }

    @Override
    public void close() {
        Syscalls.munmap(address, content.length);
        descriptor.close();
    }
}
