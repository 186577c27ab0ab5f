/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import io.vsockproxy.VsockProxy;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * A component for tests: it records its callbacks, and runs on the engine's thread what the test asks for.
 */
class Component implements ChannelHandler {
    private final VsockProxy proxy;
    private final CompletableFuture<Channel> connected = new CompletableFuture<>();
    private final ByteArrayOutputStream received = new ByteArrayOutputStream();
    private final List<Endpoint> descriptors = new ArrayList<>();
    private final List<RemoteFile> files = new ArrayList<>();
    private final AtomicInteger writableCount = new AtomicInteger();
    private byte[] outgoing = {};
    private int sent;
    private boolean closesWhenSent;
    private volatile long takeLimit = Long.MAX_VALUE;
    private volatile Integer failure;
    private volatile Integer closed;
    private volatile boolean inputEnded;

    Component(final VsockProxy proxy) {
        this.proxy = proxy;
    }

    @Override
    public void onConnected(final Channel channel) {
        if (!connected.complete(channel)) {
            throw new AssertionError("connected twice");
        }
    }

    @Override
    public void onConnectFailed(final int errno) {
        failure = errno;
        connected.completeExceptionally(new AssertionError("connect: errno " + errno));
    }

    @Override
    public int onData(
        final Channel channel,
        final DirectBuffer buffer,
        final int offset,
        final int length,
        final PassedDescriptors passed) {
        synchronized (received) {
            final int taken = (int) Math.max(0, Math.min(length, takeLimit - received.size()));
            final byte[] bytes = new byte[taken];
            buffer.getBytes(offset, bytes);
            received.writeBytes(bytes);
            if (taken > 0) {
                take(passed);
            }
            return taken;
        }
    }

    /** Takes all of them. */
    void take(final PassedDescriptors passed) {
        for (int i = 0; i < passed.count(); i++) {
            if (passed.kind(i) == DescriptorClass.REGULAR_FILE) {
                files.add(passed.takeFile(i));
            } else {
                descriptors.add(Endpoint.of(passed.take(i).release(), "descriptor " + i));
            }
        }
    }

    @Override
    public void onWritable(final Channel channel) {
        writableCount.incrementAndGet();
        sendOn(channel);
    }

    @Override
    public void onInputEnded(final Channel channel) {
        inputEnded = true;
    }

    @Override
    public void onClosed(final Channel channel, final int errno) {
        if (closed != null) {
            throw new AssertionError("closed twice");
        }
        closed = errno;
    }

    // ---- For the test

    VsockProxy proxy() {
        return proxy;
    }

    Channel channel() {
        return connected.orTimeout(Await.TIMEOUT_MS, TimeUnit.MILLISECONDS).join();
    }

    int awaitFailure() {
        Await.until(() -> failure != null, () -> "a refusal");
        return failure;
    }

    int awaitClosed() {
        Await.until(() -> closed != null, () -> "the end of the channel");
        return closed;
    }

    boolean isClosed() {
        return closed != null;
    }

    void awaitInputEnded() {
        Await.until(() -> inputEnded, () -> "the end of the other side's bytes");
    }

    int writableCount() {
        return writableCount.get();
    }

    /** Takes no more than {@code bytes} in all, until told otherwise. */
    void takeUpTo(final long bytes) {
        takeLimit = bytes;
    }

    void takeAll() {
        takeLimit = Long.MAX_VALUE;
        onEngine(() -> {
            channel().resume();
            return null;
        });
    }

    int receivedLength() {
        synchronized (received) {
            return received.size();
        }
    }

    /** Waits for exactly {@code length} bytes since the last call. */
    byte[] read(final int length) {
        Await.until(() -> receivedLength() >= length, () -> length + " bytes, received=" + receivedLength());
        synchronized (received) {
            final byte[] all = received.toByteArray();
            if (all.length != length) {
                throw new AssertionError("received=" + all.length + ", expected=" + length);
            }
            received.reset();
            return all;
        }
    }

    String readText(final int length) {
        return new String(read(length), StandardCharsets.ISO_8859_1);
    }

    Endpoint onlyDescriptor() {
        Await.until(() -> count(descriptors) > 0, () -> "a descriptor");
        synchronized (received) {
            return descriptors.remove(0);
        }
    }

    RemoteFile onlyFile() {
        Await.until(() -> count(files) > 0, () -> "a file");
        synchronized (received) {
            return files.remove(0);
        }
    }

    private int count(final List<?> list) {
        synchronized (received) {
            return list.size();
        }
    }

    /** On the engine's thread: no more commands are taken until it has run those there are. */
    void useUpCommands() {
        boolean taken = true;
        while (taken) {
            taken = proxy.execute(() -> { });
        }
    }

    /** One offer: what it returned. */
    int offer(final String text, final OwnedFd... passed) {
        final byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
        return onEngine(() -> channel().offer(new UnsafeBuffer(bytes), 0, bytes.length, passed));
    }

    /** Sends all, as room comes. */
    void send(final byte[] bytes, final boolean thenClose) {
        onEngine(() -> {
            outgoing = bytes;
            sent = 0;
            closesWhenSent = thenClose;
            sendOn(channel());
            return null;
        });
    }

    void close() {
        onEngine(() -> {
            channel().close();
            return null;
        });
    }

    /** Does something on the engine's thread. */
    <T> T onEngine(final Callable<T> what) {
        return onEngine(proxy, what);
    }

    static <T> T onEngine(final VsockProxy proxy, final Callable<T> what) {
        final CompletableFuture<T> result = new CompletableFuture<>();
        Await.until(
            () -> proxy.execute(() -> {
                try {
                    result.complete(what.call());
                } catch (final Exception | AssertionError e) {
                    result.completeExceptionally(e);
                }
            }),
            () -> "a command to be taken");
        return result.orTimeout(Await.TIMEOUT_MS, TimeUnit.MILLISECONDS).join();
    }

    private void sendOn(final Channel channel) {
        final UnsafeBuffer buffer = new UnsafeBuffer(outgoing);
        while (sent < outgoing.length) {
            final int length = Math.min(channel.maxLength(), outgoing.length - sent);
            final int result = channel.offer(buffer, sent, length);
            if (result < 0) {
                return;
            }
            sent += result;
        }
        if (closesWhenSent) {
            closesWhenSent = false;
            channel.close();
        }
    }
}
