/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.FileAttributes;
import io.vsockproxy.posix.Memory;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.agrona.MutableDirectBuffer;

/** A file in memory, whose answers may be held back. Its state is the loop's thread's, but for the counters. */
class MemoryBackend implements FileBackend {
    /** A request whose answer is held back. */
    record Held(FuseRequest request, long offset, int length) { }

    final AtomicInteger reads = new AtomicInteger();
    final AtomicInteger writes = new AtomicInteger();
    final AtomicInteger refusedWrites = new AtomicInteger();
    final AtomicInteger getattrs = new AtomicInteger();
    final AtomicInteger interrupts = new AtomicInteger();
    final AtomicInteger releases = new AtomicInteger();
    final AtomicInteger fsyncs = new AtomicInteger();
    final CountDownLatch released = new CountDownLatch(1);
    final List<Held> held = new ArrayList<>();
    final Memory memory;
    final FileAttributes attributes = new FileAttributes();
    int size;
    /** Together with {@link #modificationTimeNs} all that is told but the size, if it is not 0. */
    int mode;
    long modificationTimeNs;
    int errno;
    boolean holdsReads;
    boolean holdsWrites;
    boolean appends;
    boolean refusesWrites;
    int interruptErrno;
    Runnable onRefusal;

    MemoryBackend(final int capacity) {
        memory = Memory.allocate(capacity);
    }

    MemoryBackend(final byte[] content) {
        this(Math.max(4096, 2 * content.length));
        memory.buffer().putBytes(0, content);
        size = content.length;
    }

    @Override
    public void read(final FuseRequest request, final long offset, final int length) {
        reads.incrementAndGet();
        if (holdsReads) {
            held.add(new Held(request, offset, length));
        } else {
            answerRead(request, offset, length);
        }
    }

    void answerRead(final FuseRequest request, final long offset, final int length) {
        if (errno != 0) {
            request.replyError(errno);
        } else if (offset >= size) {
            request.replyData(0, 0);
        } else {
            final int count = (int) Math.min(length, size - offset);
            request.replyData(memory.address((int) offset, count), count);
        }
    }

    @Override
    public boolean write(
        final FuseRequest request,
        final long offset,
        final MutableDirectBuffer buffer,
        final int index,
        final int length) {
        // A backend may overwrite what precedes the bytes, to frame them in place.
        buffer.setMemory(index - FuseMount.WRITE_SCRATCH_LENGTH, FuseMount.WRITE_SCRATCH_LENGTH, (byte) 0xEE);
        if (refusesWrites) {
            refusedWrites.incrementAndGet();
            if (onRefusal != null) {
                onRefusal.run();
            }
            return false;
        }
        writes.incrementAndGet();
        final long at = appends ? size : offset;
        if (errno != 0 || at > memory.length() - length) {
            request.replyError(errno != 0 ? errno : Errno.ENOSPC);
        } else {
            memory.buffer().putBytes((int) at, buffer, index, length);
            size = (int) Math.max(size, at + length);
            if (holdsWrites) {
                held.add(new Held(request, at, length));
            } else {
                request.replyWritten(length);
            }
        }
        return true;
    }

    @Override
    public void getattr(final FuseRequest request) {
        getattrs.incrementAndGet();
        if (errno != 0) {
            request.replyError(errno);
        } else {
            request.replyAttributes(mode == 0
                ? attributes.setSizeOnly(size) : attributes.set(size, mode, 1, 0, 0, modificationTimeNs, 0));
        }
    }

    @Override
    public void truncate(final FuseRequest request, final long length) {
        if (length > memory.length()) {
            request.replyError(Errno.EFBIG);
            return;
        }
        if (length > size) {
            memory.buffer().setMemory(size, (int) length - size, (byte) 0);
        }
        size = (int) length;
        request.replySuccess();
    }

    @Override
    public void fsync(final FuseRequest request, final boolean dataOnly) {
        fsyncs.incrementAndGet();
        if (errno != 0) {
            request.replyError(errno);
        } else {
            request.replySuccess();
        }
    }

    @Override
    public void interrupted(final FuseRequest request) {
        interrupts.incrementAndGet();
        if (interruptErrno != 0) {
            held.removeIf(one -> one.request() == request);
            request.replyError(interruptErrno);
        }
    }

    @Override
    public void released() {
        releases.incrementAndGet();
        released.countDown();
    }

    void free() {
        memory.close();
    }
}
