/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.crash;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * What an application does with one descriptor until that ends, on a thread of its own; the end and its time are
 * recorded. Borrows the descriptor.
 */
final class Activity {
    /** Longer than any of them sleeps or waits between two looks at whether it is to stop. */
    private static final long STOP_TIMEOUT_MS = 5_000;
    private static final int POLL_MS = 20;
    private static final int PIECE_LENGTH = 16 * 1024;

    /** One round of an activity: bytes done, 0 at the end, or {@code -errno}; -EAGAIN for nothing. */
    private interface Step {
        int run(byte[] piece, long position);
    }

    private final String name;
    private final Thread thread;
    private volatile long position;
    private volatile boolean stopped;
    private volatile String end;
    private volatile long endNs;

    private Activity(final String name, final Step step) {
        this.name = name;
        thread = new Thread(() -> run(step), name);
        thread.setDaemon(true);
        thread.start();
    }

    /** Receives from a socket what {@link #sending} sends, until the end. */
    static Activity receiving(final String name, final Endpoint socket) {
        return new Activity(name, (piece, at) -> {
            if (socket.poll(Constants.EPOLLIN, POLL_MS) == 0) {
                return -Errno.EAGAIN;
            }
            return checked(piece, at, socket.tryReceive(piece, new ArrayList<>()));
        });
    }

    /** Sends on a socket until nobody receives. */
    static Activity sending(final String name, final Endpoint socket) {
        return new Activity(name, (piece, at) -> {
            fill(piece, at);
            final int sent = socket.trySend(piece, 0, piece.length);
            if (sent == -Errno.EAGAIN) {
                socket.poll(Constants.EPOLLOUT, POLL_MS);
            }
            return sent;
        });
    }

    /** Reads from a pipe what {@link #writing} writes, until the end. */
    static Activity reading(final String name, final Endpoint pipe) {
        return new Activity(name, (piece, at) -> {
            if (pipe.poll(Constants.EPOLLIN, POLL_MS) == 0) {
                return -Errno.EAGAIN;
            }
            return checked(piece, at, (int) pipe.read(piece, 0, piece.length));
        });
    }

    /** Writes to a pipe until nobody reads. */
    static Activity writing(final String name, final Endpoint pipe) {
        return new Activity(name, (piece, at) -> {
            if (pipe.poll(Constants.EPOLLOUT, POLL_MS) == 0) {
                return -Errno.EAGAIN;
            }
            fill(piece, at);
            return (int) pipe.tryWrite(piece, 0, piece.length);
        });
    }

    /** Reads a file of {@link #content} here and there, until that fails. */
    static Activity readingFile(final String name, final Endpoint file, final int length) {
        return new Activity(name, (piece, at) -> {
            final int offset = (int) (at * 31 % (length - piece.length));
            final int count = FileCalls.read(file, offset, piece);
            return count == 0 ? -Errno.ENODEV : checked(piece, offset, count);
        });
    }

    /** The first {@code length} bytes that each of them sends. */
    static byte[] content(final int length) {
        final byte[] content = new byte[length];
        fill(content, 0);
        return content;
    }

    /** Whether it is over. */
    boolean hasEnded() {
        return end != null;
    }

    /** When it ended, as System.nanoTime(). */
    long endNs() {
        return endNs;
    }

    /** How far it has got, in bytes. */
    long position() {
        return position;
    }

    /** Fails where bytes were wrong. */
    void expectNoWrongByte() {
        if (hasEnded() && end.startsWith("wrong")) {
            throw new AssertionError(this);
        }
    }

    /** Waits until its thread no longer uses the descriptor. */
    void stop() {
        stopped = true;
        await();
    }

    private void await() {
        try {
            thread.join(STOP_TIMEOUT_MS);
        } catch (final InterruptedException e) {
            throw new IllegalStateException(e);
        }
        if (thread.isAlive()) {
            throw new AssertionError("hangs: " + this);
        }
    }

    @Override
    public String toString() {
        return name + " at " + position + ": " + (end == null ? "goes on" : end);
    }

    private void run(final Step step) {
        final byte[] piece = new byte[PIECE_LENGTH];
        long at = 0;
        while (!stopped && end == null) {
            try {
                final int done = step.run(piece, at);
                if (done > 0) {
                    at += done;
                    position = at;
                    pause();
                } else if (done != -Errno.EAGAIN) {
                    ended(done == 0 ? "the end" : Errno.name(-done));
                }
            } catch (final RuntimeException | AssertionError e) {
                ended(e.getMessage());
            }
        }
    }

    private void ended(final String how) {
        endNs = System.nanoTime();
        end = how;
    }

    /** Nothing here is to keep a processor busy: that would be the latency that is measured. */
    private static void pause() {
        try {
            TimeUnit.MILLISECONDS.sleep(1);
        } catch (final InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static int checked(final byte[] piece, final long position, final int count) {
        for (int i = 0; i < count; i++) {
            if (piece[i] != at(position + i)) {
                throw new AssertionError("wrong byte at " + (position + i));
            }
        }
        return count;
    }

    private static void fill(final byte[] piece, final long position) {
        for (int i = 0; i < piece.length; i++) {
            piece[i] = at(position + i);
        }
    }

    private static byte at(final long position) {
        return (byte) (position ^ (position >>> 8) ^ (position >>> 16));
    }

    /** Stops each. */
    static void stopAll(final List<Activity> activities) {
        activities.forEach(activity -> activity.stopped = true);
        activities.forEach(Activity::await);
    }
}
