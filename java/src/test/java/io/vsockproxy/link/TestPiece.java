/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.link;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.Syscalls;
import java.nio.ByteBuffer;
import org.agrona.MutableDirectBuffer;

/**
 * An external piece behind a header of eight bytes: the length, or a negative error.
 */
class TestPiece implements ExternalPiece {
    static final int HEADER_LENGTH = Long.BYTES;

    int released;
    private final Memory memory;
    private final long address;
    private final int length;
    private final boolean mapped;

    TestPiece(final Memory memory, final long address, final int length, final boolean mapped) {
        this.memory = memory;
        this.address = address;
        this.length = length;
        this.mapped = mapped;
    }

    static TestPiece of(final byte[] bytes) {
        final Memory memory = OutboundRingTest.memory(bytes);
        return new TestPiece(memory, memory.address(), bytes.length, false);
    }

    /** One that nobody may read, though it says otherwise. */
    static TestPiece unreadable(final int length) {
        final long address = Syscalls.mmap(
            0, length, 0, Constants.MAP_PRIVATE | Constants.MAP_ANONYMOUS | Constants.MAP_NORESERVE, -1, 0);
        return new TestPiece(null, address, length, true);
    }

    static byte[] header(final int length) {
        return ByteBuffer.allocate(HEADER_LENGTH).putLong(length).array();
    }

    void dispose() {
        if (memory != null) {
            memory.close();
        }
        if (mapped) {
            Syscalls.munmap(address, length);
        }
    }

    @Override
    public long address() {
        return address;
    }

    @Override
    public int length() {
        return length;
    }

    @Override
    public int readableLength() {
        return length;
    }

    @Override
    public int reframe(final MutableDirectBuffer buffer, final int from, final int to, final int newLength) {
        buffer.putBytes(to - HEADER_LENGTH, header(newLength));
        return to - HEADER_LENGTH;
    }

    @Override
    public void release() {
        released++;
    }
}
