/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import org.agrona.concurrent.UnsafeBuffer;

/**
 * What {@link Syscalls#recvmsg} writes in addition to the bytes: the descriptors received with them, and the message's
 * flags.
 *
 * <pre>
 *    0                   4                   8
 *   +-------------------+-------------------+--------------------+-- - - --+
 *   | descriptor count  | msg_flags         | descriptor 0       |   ...   |   int32, native order
 *   +-------------------+-------------------+--------------------+-- - - --+
 * </pre>
 *
 * <p>Whoever called recvmsg owns the descriptors listed here, until they are taken. One thread.
 */
public final class ControlData {
    /** The most descriptors that one message may carry: SCM_MAX_FD in the kernel's include/net/scm.h. */
    public static final int MAX_DESCRIPTORS = 253;

    /** Bytes from the start to the first descriptor. */
    public static final int DESCRIPTORS_OFFSET = 8;

    /** Size of the whole, in bytes. */
    public static final int LENGTH = DESCRIPTORS_OFFSET + MAX_DESCRIPTORS * Integer.BYTES;

    private static final int COUNT_OFFSET = 0;
    private static final int FLAGS_OFFSET = 4;

    private final UnsafeBuffer buffer;
    private final long address;

    /**
     * @param memory {@link #LENGTH} bytes at {@code offset} are used; they must outlive this object.
     */
    public ControlData(final Memory memory, final int offset) {
        address = memory.address(offset, LENGTH);
        buffer = new UnsafeBuffer(address, LENGTH);
    }

    /** Where {@link Syscalls#recvmsg} is to write. */
    public long address() {
        return address;
    }

    /** How many descriptors are listed: those received and not yet {@linkplain #clear cleared}. */
    public int count() {
        return buffer.getInt(COUNT_OFFSET);
    }

    /** Descriptor {@code index}, still owned by whoever called recvmsg. */
    public int descriptor(final int index) {
        if (index < 0 || index >= count()) {
            throw new IndexOutOfBoundsException("descriptor index=" + index + ", count=" + count());
        }
        return buffer.getInt(DESCRIPTORS_OFFSET + index * Integer.BYTES);
    }

    /**
     * Whether the kernel dropped descriptors: too many for the buffer, or no numbers left in this process (EMFILE).
     * Those listed did arrive, and must be closed.
     */
    public boolean isTruncated() {
        return (buffer.getInt(FLAGS_OFFSET) & Constants.MSG_CTRUNC) != 0;
    }

    /** Adds a descriptor to those listed, as if it had been received. There may be at most {@link #MAX_DESCRIPTORS}. */
    public void add(final int fd) {
        final int count = count();
        if (count >= MAX_DESCRIPTORS) {
            throw new IndexOutOfBoundsException("descriptors=" + count + ", max=" + MAX_DESCRIPTORS);
        }
        buffer.putInt(DESCRIPTORS_OFFSET + count * Integer.BYTES, fd);
        buffer.putInt(COUNT_OFFSET, count + 1);
    }

    /** Empties the list without closing anything: ownership of the descriptors has moved elsewhere. */
    public void clear() {
        buffer.putInt(COUNT_OFFSET, 0);
    }

    /** Closes every descriptor listed and empties the list. */
    public void closeAll() {
        final int count = count();
        for (int i = 0; i < count; i++) {
            Syscalls.close(descriptor(i));
        }
        clear();
    }
}
