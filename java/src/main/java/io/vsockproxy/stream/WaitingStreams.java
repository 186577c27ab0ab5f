/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

/**
 * Streams that wait for room on their session's link, in the order in which they came. A stream leaves by itself when
 * it finishes or closes. They are linked through their own fields, so adding and leaving take the same short time
 * however many wait, and allocate nothing. Confined to the loop's thread.
 */
public final class WaitingStreams {
    private Stream first;
    private Stream last;
    private int size;

    /** How many streams wait. */
    public int size() {
        return size;
    }

    /** Adds a stream of the session, unless it waits already. */
    public void add(final Stream stream) {
        if (stream.waitsIn == this) {
            return;
        }
        stream.waitsIn = this;
        stream.waitsBehind = last;
        if (last == null) {
            first = stream;
        } else {
            last.waitsBefore = stream;
        }
        last = stream;
        size++;
    }

    /** There is room again: has all of them read, and forgets them. Those that find too little come back. */
    public void resumeReading() {
        for (int left = size; left > 0 && first != null; left--) {
            final Stream stream = first;
            remove(stream);
            stream.resumeReading();
        }
    }

    /** Forgets all of them. */
    public void clear() {
        while (first != null) {
            remove(first);
        }
    }

    void remove(final Stream stream) {
        if (stream.waitsBehind == null) {
            first = stream.waitsBefore;
        } else {
            stream.waitsBehind.waitsBefore = stream.waitsBefore;
        }
        if (stream.waitsBefore == null) {
            last = stream.waitsBehind;
        } else {
            stream.waitsBefore.waitsBehind = stream.waitsBehind;
        }
        stream.waitsIn = null;
        stream.waitsBehind = null;
        stream.waitsBefore = null;
        size--;
    }
}
