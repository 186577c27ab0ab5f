/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.loop;

/**
 * A task that an {@link EventLoop} runs once at a deadline, and again if it is scheduled again. Confined to the loop's
 * thread.
 */
public final class Timer {
    private final Runnable task;
    private long deadlineNs;
    private boolean scheduled;

    /**
     * @param task runs on the loop's thread.
     */
    public Timer(final Runnable task) {
        this.task = task;
    }

    /** Whether a deadline is set. */
    public boolean isScheduled() {
        return scheduled;
    }

    long deadlineNs() {
        return deadlineNs;
    }

    void schedule(final long newDeadlineNs) {
        deadlineNs = newDeadlineNs;
        scheduled = true;
    }

    void unschedule() {
        scheduled = false;
    }

    Runnable task() {
        return task;
    }
}
