/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.LinkAddress;
import io.vsockproxy.Role;
import io.vsockproxy.VsockProxy;
import io.vsockproxy.config.Extensions;
import io.vsockproxy.config.SessionLimits;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.NoticePeer;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.SessionProbe;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Stream sockets that are passed to a component, which takes them as channels.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class PassedChannelTest {
    @RegisterExtension
    static final ChannelPair PAIR = new ChannelPair();

    @RegisterExtension
    static final ChannelPair OLD_PAIR = new ChannelPair(Extensions.OFF);

    private static final long MORE_THAN_ANY_BUFFER = 64 << 20;

    /** An application, the other side's component that it is connected to, and the end that it has kept. */
    private record Passing(Endpoint application, Taker component, Endpoint kept) { }

    @ParameterizedTest
    @EnumSource
    void shouldCarryBytesBothWays(final Role from) {
        expectBytesBothWays(PAIR, from);
    }

    @ParameterizedTest
    @EnumSource
    void shouldCarryBytesBothWaysWithoutTheExtension(final Role from) {
        expectBytesBothWays(OLD_PAIR, from);
    }

    private static void expectBytesBothWays(final ChannelPair pair, final Role from) {
        final Passing passing = pass(pair, from, new Taker(pair.proxy(ChannelPair.other(from))));
        final Component channel = passing.component.channelThatCame();
        assertEquals("x", passing.component.readText(1));
        final byte[] bytes = Pattern.bytes(1, 3_000_000);
        channel.send(bytes, false);
        assertArrayEquals(bytes, passing.kept.readFully(bytes.length));
        passing.kept.send("back");
        assertEquals("back", channel.readText(4));
        channel.close();
        assertEquals(0, channel.awaitClosed());
        passing.kept.expectEnd();
    }

    @Test
    void shouldEndWithTheSocketsOtherEnd() {
        final Passing passing = pass(Role.HOST);
        passing.kept.send("last words");
        passing.kept.close();
        final Component channel = passing.component.channelThatCame();
        assertEquals(0, channel.awaitClosed());
        assertEquals("last words", channel.readText(10));
    }

    @Test
    void shouldEndOneDirectionBeforeTheOther() {
        final Passing passing = pass(Role.GUEST);
        final Component channel = passing.component.channelThatCame();
        passing.kept.shutdownWrite();
        channel.awaitInputEnded();
        channel.offer("answer");
        assertEquals("answer", passing.kept.readText(6));
        channel.onEngine(() -> {
            channel.channel().shutdownOutput();
            return null;
        });
        passing.kept.expectEnd();
        assertEquals(0, channel.awaitClosed());
    }

    @Test
    void shouldGiveWhatCameBeforeItWasTaken() {
        final Taker component = new Taker(PAIR.proxy(Role.HOST));
        component.takeUpTo(0);
        final Passing passing = pass(PAIR, Role.GUEST, component);
        final byte[] bytes = Pattern.bytes(2, 100_000);
        passing.kept.send(bytes);
        passing.kept.shutdownWrite();
        passing.kept.awaitTaken();
        assertEquals(0, component.takenCount());
        component.takeAll();
        final Component channel = component.channelThatCame();
        channel.awaitInputEnded();
        assertArrayEquals(bytes, channel.read(bytes.length));
        channel.offer("still heard");
        assertEquals("still heard", passing.kept.readText(11));
    }

    @Test
    void shouldTellTheEndOfAChannelThatEndedBeforeItWasTaken() {
        final Taker component = new Taker(PAIR.proxy(Role.HOST));
        component.takeUpTo(0);
        final Passing silent = pass(PAIR, Role.GUEST, component);
        final Passing talkative = passMore(PAIR, silent);
        talkative.kept.send("bye");
        talkative.kept.awaitTaken();
        talkative.kept.close();
        silent.kept.close();
        final SessionProbe probe = new SessionProbe(PAIR.proxy(Role.HOST));
        Await.until(() -> probe.handleCount() == 1, () -> "1 handle");
        component.takeAll();
        final Component first = component.channelThatCame();
        final Component second = component.channelThatCame();
        assertEquals(0, first.awaitClosed());
        assertEquals(0, first.receivedLength());
        assertEquals(0, second.awaitClosed());
        assertEquals("bye", second.readText(3));
    }

    @ParameterizedTest
    @EnumSource
    void shouldCloseWhatIsNotTaken(final Role from) {
        final Taker component = new Taker(PAIR.proxy(ChannelPair.other(from))) {
            @Override
            void take(final PassedDescriptors passed) {
                assertTrue(passed.count() == 0 || passed.kind(0) == DescriptorClass.STREAM_SOCKET);
            }
        };
        final Passing passing = pass(PAIR, from, component);
        passing.kept.awaitHangUp();
        assertEquals("x", component.readText(1));
        passing.application.send("goes on");
        assertEquals("goes on", component.readText(7));
    }

    @Test
    void shouldCloseWhatNobodyCanTakeAnyMore() {
        final Taker component = new Taker(PAIR.proxy(Role.HOST));
        component.takeUpTo(0);
        final Passing passing = pass(PAIR, Role.GUEST, component);
        passing.kept.send("never read");
        passing.kept.awaitTaken();
        component.close();
        passing.kept.awaitHangUp();
    }

    @Test
    void shouldStopTheSenderOfAChannelThatTakesNothingAndNobodyElse() {
        final Passing passing = pass(Role.GUEST);
        final Taker channel = passing.component.channelThatCame();
        channel.takeUpTo(10);
        final byte[] bytes = Pattern.bytes(3, 1 << 20);
        final long sent = passing.kept.sendUntilStalled(bytes, MORE_THAN_ANY_BUFFER);
        assertEquals(10, channel.receivedLength());
        passing.application.send("lively");
        assertEquals("xlively", passing.component.readText(7));
        channel.takeAll();
        final int rounds = passing.kept.sendRest(bytes, sent);
        final byte[] all = channel.read(rounds * bytes.length);
        for (int i = 0; i < rounds; i++) {
            assertArrayEquals(bytes, Arrays.copyOfRange(all, i * bytes.length, (i + 1) * bytes.length));
        }
    }

    @Test
    void shouldStopTheSenderOfAChannelThatIsNotTakenYet() {
        final Taker component = new Taker(PAIR.proxy(Role.HOST));
        component.takeUpTo(0);
        final Passing passing = pass(PAIR, Role.GUEST, component);
        final byte[] bytes = Pattern.bytes(4, 1 << 20);
        final long sent = passing.kept.sendUntilStalled(bytes, MORE_THAN_ANY_BUFFER);
        assertTrue(sent < MORE_THAN_ANY_BUFFER, "sent: " + sent);
        component.takeAll();
        final Component channel = component.channelThatCame();
        final int rounds = passing.kept.sendRest(bytes, sent);
        Await.until(() -> channel.receivedLength() == rounds * bytes.length, () -> "all of it");
    }

    @Test
    void shouldTakeDescriptorsThatComeOnIt() {
        final Taker component = new Taker(PAIR.proxy(Role.HOST));
        component.takeUpTo(0);
        final Passing outer = pass(PAIR, Role.GUEST, component);
        final Endpoint[] inner = Endpoint.socketPair(Constants.SOCK_STREAM);
        final Endpoint[] pipe = Endpoint.pipe();
        outer.kept.send("a socket", inner[0]);
        outer.kept.send("a pipe", pipe[0]);
        Endpoint.closeAll(inner[0], pipe[0]);
        inner[1].send("through both");
        inner[1].awaitTaken();
        component.takeAll();
        final Taker channel = component.channelThatCame();
        final Taker innermost = channel.channelThatCame();
        assertEquals("through both", innermost.readText(12));
        final Endpoint readEnd = channel.onlyDescriptor();
        pipe[1].write("a pipe as ever");
        assertEquals("a pipe as ever", readEnd.readText(14));
        assertEquals("a socketa pipe", channel.readText(14));
        Endpoint.closeAll(inner[1], pipe[1], readEnd);
        innermost.awaitClosed();
    }

    @Test
    void shouldPassDescriptorsOnIt() {
        final Passing passing = pass(Role.GUEST);
        final Component channel = passing.component.channelThatCame();
        final Endpoint[] pipe = Endpoint.pipe();
        assertEquals(4, channel.offer("pipe", ChannelDescriptorTest.duplicate(pipe[0])));
        pipe[0].close();
        final Endpoint readEnd = passing.kept.receive().descriptors().get(0);
        pipe[1].write("by way of it");
        assertEquals("by way of it", readEnd.readText(12));
        Endpoint.closeAll(pipe[1], readEnd);
    }

    @Test
    void shouldTakeEachOnce() {
        final Queue<Throwable> refusals = new ConcurrentLinkedQueue<>();
        final Taker component = new Taker(PAIR.proxy(Role.HOST)) {
            @Override
            void take(final PassedDescriptors passed) {
                refusals.add(assertThrows(IllegalStateException.class, () -> passed.take(0)));
                refusals.add(assertThrows(NullPointerException.class, () -> passed.takeChannel(0, null)));
                super.take(passed);
                refusals.add(assertThrows(
                    IllegalStateException.class, () -> passed.takeChannel(0, new Component(proxy()))));
            }
        };
        final Passing passing = pass(PAIR, Role.GUEST, component);
        final Component channel = component.channelThatCame();
        passing.kept.send("once");
        assertEquals("once", channel.readText(4));
        Await.until(() -> refusals.size() == 3, () -> "three refusals");
    }

    @Test
    void shouldGiveADescriptorToAComponentThatWantsNoChannels() {
        final Queue<Throwable> refusals = new ConcurrentLinkedQueue<>();
        final Component component = new Component(PAIR.proxy(Role.HOST)) {
            @Override
            void take(final PassedDescriptors passed) {
                refusals.add(assertThrows(IllegalStateException.class, () -> passed.takeChannel(0, this)));
                super.take(passed);
            }
        };
        final Passing passing = pass(PAIR, Role.GUEST, component);
        final Endpoint socket = component.onlyDescriptor();
        passing.kept.send("to a socket");
        assertEquals("to a socket", socket.readText(11));
        assertEquals(1, refusals.size());
        socket.close();
    }

    @Test
    void shouldEndOnlyTheChannelWhoseComponentThrows() {
        final IllegalStateException thrown = new IllegalStateException("on purpose");
        final Component broken = new Component(PAIR.proxy(Role.HOST)) {
            @Override
            public void onConnected(final Channel channel) {
                super.onConnected(channel);
                throw thrown;
            }
        };
        final Taker component = new Taker(PAIR.proxy(Role.HOST)) {
            @Override
            Component newComponent() {
                return broken;
            }
        };
        final Passing passing = pass(PAIR, Role.GUEST, component);
        assertEquals(Errno.EIO, broken.awaitClosed());
        passing.kept.awaitHangUp();
        assertEquals(1, PAIR.takeErrors().size());
        assertEquals("x", component.readText(1));
    }

    @Test
    void shouldRefuseAComponentThatCannotSayWhetherItWantsChannels() {
        final Component broken = new Component(PAIR.proxy(Role.HOST)) {
            @Override
            public boolean socketsAsChannels() {
                throw new IllegalStateException("on purpose");
            }
        };
        PAIR.accepting(() -> broken);
        final Endpoint application = PAIR.closing(Endpoint.connect(PAIR.forward(Role.GUEST)));
        assertEquals(Errno.EIO, broken.awaitFailure());
        application.awaitHangUp();
        assertInstanceOf(IllegalStateException.class, PAIR.takeErrors().get(0));
    }

    @Test
    void shouldEndAllOfThemWithTheSession() {
        final Taker component = new Taker(OLD_PAIR.proxy(Role.HOST));
        final Passing passing = pass(OLD_PAIR, Role.GUEST, component);
        final Component channel = component.channelThatCame();
        component.takeUpTo(1);
        final Passing untaken = passMore(OLD_PAIR, passing);
        untaken.kept.send("unread");
        untaken.kept.awaitTaken();
        component.onEngine(() -> {
            component.channel().peer().disconnect("the test is done with it");
            return null;
        });
        assertEquals(Errno.ECONNABORTED, channel.awaitClosed());
        passing.kept.awaitHangUp();
        untaken.kept.awaitHangUp();
        // Bytes that have arrived can still be read, as on any paused channel.
        assertEquals(1, component.takenCount());
        component.takeAll();
        final Component late = component.channelThatCame();
        assertEquals(Errno.ECONNABORTED, late.awaitClosed());
        assertEquals("unread", late.readText(6));
        assertEquals(Errno.ECONNABORTED, component.awaitClosed());
        Await.until(() -> !OLD_PAIR.sessionEnds().isEmpty(), () -> "the session's end");
    }

    @Test
    void shouldTakeBackThoseOfAMessageThatCannotAllBeHad() throws IOException {
        final Path link = PAIR.directory().resolve("few");
        final Queue<Throwable> errors = new ConcurrentLinkedQueue<>();
        final VsockProxy.Context context = new VsockProxy.Context().role(Role.HOST)
            .address(LinkAddress.unix(link.toString())).errorHandler(errors::add)
            .limits(SessionLimits.DEFAULTS.toBuilder().maxHandles(2).build());
        final AtomicReference<Taker> next = new AtomicReference<>();
        context.accept(ChannelPair.COMPONENT, (peer, name) -> next.get());
        try (VsockProxy host = VsockProxy.launch(context)) {
            host.ready().join();
            final Taker refused = new Taker(host);
            next.set(refused);
            final NoticePeer guest = PAIR.closing(new NoticePeer(Endpoint.connect(link)));
            guest.send(Messages.connectRequest(-1, ChannelPair.COMPONENT));
            final long handle = guest.receive().getConnectResponse().getHandle();
            guest.send(Messages.data(handle, "x", Messages.descriptor(FileDescriptor.Type.SOCKET_STREAM, -10),
                Messages.descriptor(FileDescriptor.Type.SOCKET_STREAM, -11)));
            final Set<Long> closed = new HashSet<>();
            for (int i = 0; i < 3; i++) {
                closed.add(guest.receive().getClose().getHandle());
            }
            assertEquals(Set.of(-10L, -11L, handle), closed);
            assertEquals(Errno.ECONNABORTED, refused.awaitClosed());
            assertEquals(0, refused.takenCount());
            // Now there is room for two again.
            final Taker taker = new Taker(host);
            next.set(taker);
            guest.send(Messages.connectRequest(-2, ChannelPair.COMPONENT));
            final long other = guest.receive().getConnectResponse().getHandle();
            guest.send(Messages.data(other, "x", Messages.descriptor(FileDescriptor.Type.SOCKET_STREAM, -12)),
                Messages.data(-12, "through it"));
            assertEquals("through it", taker.channelThatCame().readText(10));
        }
        assertEquals(0, errors.size(), errors::toString);
    }

    private static Passing pass(final Role from) {
        return pass(PAIR, from, new Taker(PAIR.proxy(ChannelPair.other(from))));
    }

    /** One end of a fresh pair of sockets is passed to the component, with one byte. */
    private static Passing pass(final ChannelPair pair, final Role from, final Component component) {
        pair.accepting(() -> component);
        final Endpoint application = pair.closing(Endpoint.connect(pair.forward(from)));
        pair.closing(component);
        return pass(pair, application, component);
    }

    private static Passing passMore(final ChannelPair pair, final Passing before) {
        return pass(pair, before.application, before.component);
    }

    private static Passing pass(final ChannelPair pair, final Endpoint application, final Component component) {
        final Endpoint[] sockets = Endpoint.socketPair(Constants.SOCK_STREAM);
        application.send("x", sockets[0]);
        sockets[0].close();
        return new Passing(application, component instanceof Taker taker ? taker : null, pair.closing(sockets[1]));
    }

    /** Takes stream sockets as channels, and everything else as usual. */
    private static class Taker extends Component {
        private final Queue<Component> taken = new ConcurrentLinkedQueue<>();
        private int takenCount;

        Taker(final VsockProxy proxy) {
            super(proxy);
        }

        @Override
        public boolean socketsAsChannels() {
            return true;
        }

        @Override
        void take(final PassedDescriptors passed) {
            if (passed.count() == 0 || passed.kind(0) != DescriptorClass.STREAM_SOCKET) {
                super.take(passed);
                return;
            }
            final Component channel = newComponent();
            passed.takeChannel(0, channel);
            takenCount++;
            taken.add(channel);
        }

        Component newComponent() {
            return new Taker(proxy());
        }

        Taker channelThatCame() {
            Await.until(() -> !taken.isEmpty(), () -> "a channel");
            return (Taker) taken.remove();
        }

        int takenCount() {
            return onEngine(() -> takenCount);
        }
    }
}
