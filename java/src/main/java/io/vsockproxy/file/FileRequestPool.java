/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.posix.Memory;
import java.util.ArrayList;
import org.agrona.BitUtil;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * A pool of requests, with the scratch memory that their system calls need. Confined to the loop's thread.
 */
final class FileRequestPool implements AutoCloseable {
    private static final int SLAB_REQUESTS = 64;
    private static final int SCRATCH_LENGTH = BitUtil.align(FileRequest.SCRATCH_LENGTH, BitUtil.CACHE_LINE_LENGTH);

    private final PendingFileRequests owner;
    private final ArrayList<FileRequest> free = new ArrayList<>();
    private final ArrayList<Memory> slabs = new ArrayList<>();
    private int inUse;
    private boolean closed;

    FileRequestPool(final PendingFileRequests owner) {
        this.owner = owner;
    }

    /** A request that is not in use. */
    FileRequest acquire() {
        if (free.isEmpty()) {
            addSlab();
        }
        inUse++;
        return free.remove(free.size() - 1);
    }

    /** Whether no request is in use. */
    boolean isIdle() {
        return inUse == 0;
    }

    /** Takes a finished request back. */
    void release(final FileRequest request) {
        request.file = null;
        inUse--;
        free.add(request);
        freeSlabs();
    }

    /** Frees everything as soon as nothing is in use. */
    @Override
    public void close() {
        closed = true;
        freeSlabs();
    }

    private void addSlab() {
        final Memory slab = Memory.allocate(SLAB_REQUESTS * SCRATCH_LENGTH);
        slabs.add(slab);
        for (int i = 0; i < SLAB_REQUESTS; i++) {
            free.add(new FileRequest(owner, new UnsafeBuffer(slab.buffer(), i * SCRATCH_LENGTH, SCRATCH_LENGTH)));
        }
    }

    private void freeSlabs() {
        if (closed && inUse == 0) {
            slabs.forEach(Memory::close);
            slabs.clear();
            free.clear();
        }
    }
}
