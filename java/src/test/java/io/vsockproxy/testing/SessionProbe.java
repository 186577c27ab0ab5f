/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import io.vsockproxy.VsockProxy;
import io.vsockproxy.loop.EventLoop;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * Looks into a proxy of this process, on the proxy's thread: at what its newest session holds, and at each stream's
 * credit. It uses reflection, so that the engine needs no methods only for tests.
 */
public final class SessionProbe {
    /**
     * One stream's flow control; zeros where there is none.
     *
     * @param handle    the stream's.
     * @param allowance what may still be sent to the other side.
     * @param owed      what was taken here and not yet granted.
     * @param window    what the other side may have unconsumed here.
     */
    public record StreamState(long handle, long allowance, long owed, long window) { }

    private final VsockProxy proxy;

    /** Of a proxy that runs in this process. */
    public SessionProbe(final VsockProxy proxy) {
        this.proxy = proxy;
    }

    /** How many sessions there are. */
    public int sessionCount() {
        return onLoop(() -> sessions().size());
    }

    /** Handles of streams and files, over all sessions. */
    public int handleCount() {
        return onLoop(() -> sessions().stream()
            .mapToInt(session -> (int) call(session, "handleCount"))
            .sum());
    }

    /** Bytes that wait for local readers, with their charges. */
    public long queuedBytes() {
        return onLoop(() -> (long) call(newest(), "queuedBytes"));
    }

    /** By how many bytes the windows of all streams have grown. */
    public long grownBytes() {
        return onLoop(() -> (long) field(field(newest(), "extension"), "grownBytes"));
    }

    /** Whether the link is not read because of local readers. */
    public boolean isBlocked() {
        return onLoop(() -> (boolean) field(field(newest(), "inbox"), "blocked"));
    }

    /** Every stream of the newest session. */
    public List<StreamState> streams() {
        return onLoop(() -> {
            final Object table = field(field(newest(), "streams"), "streams");
            final Object[] values = (Object[]) field(table, "values");
            return Arrays.stream(values).filter(stream -> stream != null)
                .map(SessionProbe::state).toList();
        });
    }

    /** The one stream of the newest session. */
    public StreamState onlyStream() {
        final List<StreamState> all = streams();
        if (all.size() != 1) {
            throw new AssertionError("streams: expected=1, actual=" + all);
        }
        return all.get(0);
    }

    private static StreamState state(final Object stream) {
        final long handle = (long) field(stream, "handle");
        final Object credit = field(stream, "credit");
        return credit == null ? new StreamState(handle, 0, 0, 0)
            : new StreamState(
                handle, (long) field(credit, "allowance"), (long) field(credit, "owed"),
                (long) field(credit, "window"));
    }

    private List<?> sessions() {
        return (List<?>) field(field(proxy, "agent"), "sessions");
    }

    private Object newest() {
        final List<?> sessions = sessions();
        return sessions.get(sessions.size() - 1);
    }

    private <T> T onLoop(final Supplier<T> question) {
        final CompletableFuture<T> answer = new CompletableFuture<>();
        final EventLoop loop =
            (EventLoop) field(field(proxy, "agent"), "loop");
        Await.until(
            () -> loop.execute(() -> {
                try {
                    answer.complete(question.get());
                } catch (final RuntimeException | AssertionError e) {
                    answer.completeExceptionally(e);
                }
            }),
            () -> "a command to be taken");
        return answer.orTimeout(Await.TIMEOUT_MS, TimeUnit.MILLISECONDS).join();
    }

    private static Object field(final Object owner, final String name) {
        for (Class<?> type = owner.getClass(); type != null; type = type.getSuperclass()) {
            try {
                final Field field = type.getDeclaredField(name);
                field.setAccessible(true);
                return field.get(owner);
            } catch (final NoSuchFieldException e) {
                // A superclass may have the field.
            } catch (final IllegalAccessException e) {
                throw new AssertionError(e);
            }
        }
        throw new AssertionError(owner.getClass() + " has no field " + name);
    }

    private static Object call(final Object owner, final String name) {
        try {
            final Method method = owner.getClass().getDeclaredMethod(name);
            method.setAccessible(true);
            return method.invoke(owner);
        } catch (final ReflectiveOperationException e) {
            throw new LinkageError(owner.getClass() + "." + name, e);
        }
    }
}
