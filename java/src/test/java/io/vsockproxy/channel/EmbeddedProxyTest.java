/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.Forward;
import io.vsockproxy.LinkAddress;
import io.vsockproxy.Role;
import io.vsockproxy.SessionListener;
import io.vsockproxy.VsockProxy;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.MountedPair;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.AgentInvoker;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Two proxies and their components on one thread, the test's, which runs the loops of both.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class EmbeddedProxyTest {
    private static final String NAME = "echo";
    private static final long LONG_NS = TimeUnit.SECONDS.toNanos(20);

    private final List<String> told = new ArrayList<>();
    private final List<Throwable> errors = new ArrayList<>();
    private final Recorder connecting = new Recorder();
    private final Recorder accepting = new Recorder();
    private Path directory;
    private VsockProxy host;
    private VsockProxy guest;
    private AgentInvoker hostInvoker;
    private AgentInvoker guestInvoker;

    @BeforeEach
    void start() throws IOException {
        directory = Files.createTempDirectory("vp");
        host = VsockProxy.embed(context(Role.HOST).accept(NAME, (peer, name) -> accepting));
        guest = VsockProxy.embed(context(Role.GUEST));
        hostInvoker = new AgentInvoker(errors::add, null, host.agent());
        guestInvoker = new AgentInvoker(errors::add, null, guest.agent());
        hostInvoker.start();
        guestInvoker.start();
    }

    @AfterEach
    void stop() throws IOException {
        guestInvoker.close();
        hostInvoker.close();
        guest.close();
        host.close();
        MountedPair.delete(directory);
        assertEquals(List.of(), errors);
    }

    @Test
    void shouldNotRunBeforeItIsStarted() {
        try (VsockProxy proxy = VsockProxy.embed(new VsockProxy.Context().role(Role.HOST)
            .address(LinkAddress.unix(directory.resolve("another").toString())))) {
            final IllegalStateException thrown =
                assertThrows(IllegalStateException.class, () -> proxy.agent().doWork());
            assertEquals("onStart has not been called", thrown.getMessage());
            assertThrows(IllegalStateException.class, () -> proxy.agent().doWork(1));
            proxy.agent().onStart();
            assertTrue(proxy.agent().doWork() >= 0);
            proxy.agent().onClose();
            assertEquals(0, proxy.agent().doWork());
        }
    }

    @Test
    void shouldRefuseAConnectionWithoutAHandlerAtOnce() {
        assertThrows(NullPointerException.class, () -> host.connect(NAME, null));
    }

    @Test
    void shouldEndThoughTheErrorHandlerThrows() {
        final int descriptorsBefore = Await.stable(Descriptors::count);
        final CompletableFuture<Channel> connected = new CompletableFuture<>();
        final List<String> handled = new ArrayList<>();
        final Path link = directory.resolve("another");
        final VsockProxy throwing = VsockProxy.launch(new VsockProxy.Context().role(Role.HOST)
            .address(LinkAddress.unix(link.toString()))
            .accept(NAME, (peer, name) -> new Recorder() {
                @Override
                public void onClosed(final Channel channel, final int errno) {
                    throw new IllegalStateException("the component's");
                }
            })
            .errorHandler(e -> {
                handled.add(e.getMessage());
                throw new IllegalStateException("the error handler's", e);
            }));
        try (VsockProxy other = VsockProxy.launch(
            new VsockProxy.Context().role(Role.GUEST).address(LinkAddress.unix(link.toString())))) {
            other.ready().join();
            other.connect(NAME, new Recorder() {
                @Override
                public void onConnected(final Channel channel) {
                    connected.complete(channel);
                }
            });
            connected.orTimeout(Await.TIMEOUT_MS, TimeUnit.MILLISECONDS).join();
            throwing.close();
        }
        assertTrue(handled.contains("the component's"), handled::toString);
        Await.untilEqual(descriptorsBefore, Descriptors::count, "open descriptors");
    }

    @Test
    void shouldCloseEverythingEvenIfTheErrorHandlerThrowsForEachSession() {
        final int descriptorsBefore = Await.stable(Descriptors::count);
        final Path link = directory.resolve("another");
        final Path forward = directory.resolve("forward");
        final AtomicInteger begun = new AtomicInteger();
        final VsockProxy throwing = VsockProxy.embed(new VsockProxy.Context().role(Role.HOST)
            .address(LinkAddress.unix(link.toString()))
            .forward(new Forward(forward.toString(), NAME))
            .sessionListener(new SessionListener() {
                @Override
                public void onConnected(final Peer peer) {
                    begun.incrementAndGet();
                }

                @Override
                public void onEnded(final Peer peer, final String reason) {
                    throw new IllegalStateException(peer.name());
                }
            })
            .errorHandler(e -> {
                throw new AssertionError(e.getMessage(), e);
            }));
        throwing.agent().onStart();
        try (Endpoint one = Endpoint.connect(link); Endpoint other = Endpoint.connect(link)) {
            Await.until(() -> throwing.agent().doWork() >= 0 && begun.get() == 2, () -> "two sessions");
            final AssertionError first = assertThrows(AssertionError.class, throwing::close);
            assertEquals("guest 1", first.getMessage());
            assertEquals(List.of("guest 2"), Arrays.stream(first.getSuppressed()).map(Throwable::getMessage).toList());
            one.readToEnd();
            other.readToEnd();
        }
        assertFalse(Files.exists(link));
        assertFalse(Files.exists(forward));
        Await.untilEqual(descriptorsBefore, Descriptors::count, "open descriptors");
    }

    @Test
    void shouldGoOnShowingThatItIsAliveThoughThatFailed() {
        final AtomicInteger runs = new AtomicInteger();
        final VsockProxy proxy = VsockProxy.embed(context(Role.HOST)
            .address(LinkAddress.unix(directory.resolve("other").toString()))
            .livenessTask(1, () -> {
                throw new IllegalStateException("run " + runs.incrementAndGet());
            }));
        proxy.agent().onStart();
        Await.until(() -> proxy.agent().doWork() >= 0 && runs.get() >= 3, () -> "runs=" + runs + ", errors=" + errors);
        proxy.close();
        assertEquals("run 1", errors.get(0).getMessage());
        assertEquals(runs.get(), errors.size());
        errors.clear();
    }

    @Test
    void shouldEndAWaitAtOnceWhenAnotherThreadWakesItUp() {
        final VsockProxy idle = VsockProxy.embed(context(Role.HOST)
            .address(LinkAddress.unix(directory.resolve("other").toString())));
        idle.agent().onStart();
        Await.until(() -> idle.agent().doWork() == 0, () -> "nothing to do");
        final long idleNs = TimeUnit.MILLISECONDS.toNanos(50);
        assertTrue(waitedNs(idle, idleNs) >= idleNs, "there is something to do");
        final CompletableFuture<Void> waking = Background.start(() -> {
            // Probably during the wait. If it comes before that, the effect must be the same.
            Thread.sleep(50);
            idle.wakeUp();
            return null;
        });
        assertTrue(waitedNs(idle, LONG_NS) < LONG_NS);
        Background.join(waking);
        idle.wakeUp();
        assertTrue(waitedNs(idle, LONG_NS) < LONG_NS, "the next wait");
        idle.close();
    }

    private static long waitedNs(final VsockProxy proxy, final long maxWaitNs) {
        final long startNs = System.nanoTime();
        proxy.agent().doWork(maxWaitNs);
        return System.nanoTime() - startNs;
    }

    @Test
    void shouldExchangeOnTheComponentsOwnThread() {
        connect();
        assertEquals(5, offer(connecting, "hello"));
        turnUntil(() -> accepting.received.toString().equals("hello"));
        assertEquals(2, offer(accepting, "hi"));
        turnUntil(() -> connecting.received.toString().equals("hi"));
        accepting.channel.close();
        turnUntil(() -> connecting.closed == 0 && accepting.closed == 0);
    }

    @Test
    void shouldTellOfSessionsThatComeAndGoWithTheReason() {
        connect();
        assertEquals(List.of("HOST connected guest 1", "GUEST connected host 1"), told.stream().sorted(
            (one, other) -> other.compareTo(one)).toList());
        told.clear();
        final Peer peer = accepting.channel.peer();
        assertTrue(peer.isConnected());
        peer.disconnect("enough");
        turnUntil(() -> connecting.closed >= 0 && accepting.closed >= 0);
        assertFalse(peer.isConnected());
        assertEquals(Errno.ECONNABORTED, connecting.closed);
        assertEquals(Errno.ECONNABORTED, accepting.closed);
        assertTrue(told.contains("HOST ended guest 1: enough"), told::toString);
        assertEquals(Channel.CLOSED, offer(connecting, "late"));
        // The guest reconnects by itself.
        turnUntil(() -> told.contains("GUEST connected host 2"));
    }

    @Test
    void shouldTellWhoConnectsWithoutAPeer() {
        guest.close();
        final VsockProxy alone = VsockProxy.embed(
            context(Role.HOST).address(LinkAddress.unix(directory.resolve("other").toString())));
        alone.agent().onStart();
        assertTrue(alone.connect(NAME, connecting));
        Await.until(() -> alone.agent().doWork() >= 0 && connecting.failed >= 0, () -> "a refusal");
        assertEquals(Errno.ENOTCONN, connecting.failed);
        alone.close();
        assertFalse(alone.connect(NAME, connecting));
    }

    @Test
    void shouldTellAComponentWhenItsOwnProxyCloses() {
        connect();
        guest.close();
        assertEquals(Errno.ECONNABORTED, connecting.closed);
        turnUntil(() -> accepting.closed >= 0);
    }

    @Test
    void shouldEndChannelsWithTheirSessionEvenIfAnotherThreadHasAnOpenClaim() {
        connect();
        final ChannelClaim claim = new ChannelClaim();
        final ChannelSender sender = connecting.channel.sender(4096);
        assertEquals(8, sender.tryClaim(8, claim));
        sender.close();
        accepting.channel.peer().disconnect("enough");
        turnUntil(() -> connecting.closed >= 0 && accepting.closed >= 0);
        assertEquals(Errno.ECONNABORTED, connecting.closed);
        claim.commit();
        assertEquals(Channel.CLOSED, sender.tryClaim(8, claim));
    }

    @Test
    void shouldRefuseATurnWithinATurnAndGiveEverythingOnce() {
        final List<Throwable> refusals = new ArrayList<>();
        connecting.onData = () -> {
            assertEquals(4, offer(accepting, "more"));
            hostInvoker.invoke();
            refusals.add(assertThrows(IllegalStateException.class, () -> guest.agent().doWork()));
        };
        connect();
        assertEquals(5, offer(accepting, "first"));
        turnUntil(() -> connecting.received.toString().endsWith("more"));
        assertEquals("firstmore", connecting.received.toString());
        assertEquals(1, refusals.size());
        assertThrows(IllegalStateException.class, () -> guest.agent().onStart());
    }

    @Test
    void shouldCloseAfterTheTurnWhenClosedFromACallback() {
        final AtomicInteger open = new AtomicInteger();
        connecting.onData = () -> {
            guest.close();
            guest.agent().onClose();
            open.set(connecting.channel.isOpen() ? 1 : 0);
        };
        connect();
        offer(accepting, "close");
        turnUntil(() -> connecting.closed >= 0);
        assertEquals(1, open.get());
        assertEquals("close", connecting.received.toString());
        assertFalse(guest.execute(() -> { }));
        assertEquals(0, guest.agent().doWork());
        turnUntil(() -> accepting.closed >= 0);
    }

    @Test
    void shouldRefuseToBeClosedOnAnotherThreadWhileItIsTurned() {
        connecting.onData = () -> {
            final CompletionException thrown = assertThrows(
                CompletionException.class, () -> CompletableFuture.runAsync(guest::close).join());
            assertInstanceOf(IllegalStateException.class, thrown.getCause());
        };
        connect();
        offer(accepting, "stay");
        turnUntil(() -> connecting.received.toString().equals("stay"));
        offer(accepting, "ing");
        turnUntil(() -> connecting.received.toString().equals("staying"));
    }

    @Test
    void shouldSayWhyItCannotServe() {
        final VsockProxy second = VsockProxy.embed(context(Role.HOST));
        assertThrows(RuntimeException.class, () -> second.agent().onStart());
        assertThrows(CompletionException.class, () -> second.ready().join());
        second.close();
    }

    @Test
    void shouldLeaveNoDescriptorOpen() {
        connect();
        guest.close();
        host.close();
        final int before = Await.stable(Descriptors::count);
        for (int i = 0; i < 3; i++) {
            VsockProxy.embed(context(Role.HOST)).close();
        }
        assertEquals(before, Descriptors.count());
    }

    private void connect() {
        turnUntil(() -> guest.ready().isDone());
        assertTrue(guest.connect(NAME, connecting));
        turnUntil(() -> connecting.channel != null && accepting.channel != null);
    }

    private void turnUntil(final BooleanSupplier condition) {
        Await.until(
            () -> {
                hostInvoker.invoke();
                guestInvoker.invoke();
                return condition.getAsBoolean();
            },
            () -> "told=" + told + ", errors=" + errors);
    }

    private static int offer(final Recorder recorder, final String text) {
        final UnsafeBuffer buffer = new UnsafeBuffer(text.getBytes(StandardCharsets.US_ASCII));
        return recorder.channel.offer(buffer, 0, buffer.capacity());
    }

    private VsockProxy.Context context(final Role role) {
        return new VsockProxy.Context().role(role)
            .address(LinkAddress.unix(directory.resolve("link").toString()))
            .errorHandler(errors::add)
            .sessionListener(new SessionListener() {
                @Override
                public void onConnected(final Peer peer) {
                    told.add(role + " connected " + peer.name());
                }

                @Override
                public void onEnded(final Peer peer, final String reason) {
                    told.add(role + " ended " + peer.name() + ": " + reason);
                }
            });
    }

    /** Keeps what it is told. */
    private static class Recorder implements ChannelHandler {
        private final StringBuilder received = new StringBuilder();
        private Channel channel;
        private int failed = -1;
        private int closed = -1;
        private Runnable onData = () -> { };

        @Override
        public void onConnected(final Channel newChannel) {
            channel = newChannel;
        }

        @Override
        public void onConnectFailed(final int errno) {
            failed = errno;
        }

        @Override
        public int onData(
            final Channel from,
            final DirectBuffer buffer,
            final int offset,
            final int length,
            final PassedDescriptors descriptors) {
            final Runnable once = onData;
            onData = () -> { };
            once.run();
            received.append(buffer.getStringWithoutLengthAscii(offset, length));
            return length;
        }

        @Override
        public void onClosed(final Channel from, final int errno) {
            closed = errno;
        }
    }
}
