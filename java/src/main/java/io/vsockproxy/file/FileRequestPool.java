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
 * Requests to be used again, with the scratch memory that their system calls need. Confined to the loop's thread.
 */
final class FileRequestPool implements AutoCloseable {
    private static final int SLAB_REQUESTS = 64;
    private static final int SCRATCH_LENGTH = BitUtil.align(FileRequest.SCRATCH_LENGTH, BitUtil.CACHE_LINE_LENGTH);

    private final FileServer server;
    private final ArrayList<FileRequest> free = new ArrayList<>();
    private final ArrayList<Memory> slabs = new ArrayList<>();
    private int inUse;
    private boolean closed;

    FileRequestPool(final FileServer server) {
        this.server = server;
    }

    /** One that nobody uses. */
    FileRequest acquire() {
        if (free.isEmpty()) {
            addSlab();
        }
        inUse++;
        return free.remove(free.size() - 1);
    }

    /** Whether all are free. */
    boolean isIdle() {
        return inUse == 0;
    }

    /** It is over. */
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
            free.add(new FileRequest(server, new UnsafeBuffer(slab.buffer(), i * SCRATCH_LENGTH, SCRATCH_LENGTH)));
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
