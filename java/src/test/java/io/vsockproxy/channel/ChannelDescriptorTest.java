/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.Role;
import io.vsockproxy.channel.ChannelPair.Connection;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.Received;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Descriptors that a component passes and is passed: sockets, pipes and others.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class ChannelDescriptorTest {
    @RegisterExtension
    static final ChannelPair PAIR = new ChannelPair();

    @ParameterizedTest
    @EnumSource
    void shouldPassAComponentsDescriptorsToAnApplication(final Role from) {
        final Connection connection = PAIR.toApplication(from);
        final Endpoint[] pipe = Endpoint.pipe();
        final Endpoint[] sockets = Endpoint.socketPair(Constants.SOCK_STREAM);
        assertEquals(3, connection.component().offer("two", duplicate(pipe[0]), duplicate(sockets[1])));
        Endpoint.closeAll(pipe[0], sockets[1]);
        final Received received = connection.application().receive();
        assertEquals("two", received.text());
        assertEquals(2, received.descriptors().size());
        pipe[1].write("through the pipe");
        assertEquals("through the pipe", received.descriptors().get(0).readText(16));
        received.descriptors().get(1).send("through the socket");
        assertEquals("through the socket", sockets[0].readText(18));
        received.descriptors().forEach(Endpoint::close);
        Endpoint.closeAll(pipe[1], sockets[0]);
    }

    @ParameterizedTest
    @EnumSource
    void shouldPassAnApplicationsDescriptorsToAComponent(final Role from) {
        final Connection connection = PAIR.fromApplication(from);
        final Endpoint[] pipe = Endpoint.pipe();
        final Endpoint eventfd = Endpoint.eventfd(7);
        connection.application().send("two", pipe[1], eventfd);
        Endpoint.closeAll(pipe[1], eventfd);
        final Endpoint writeEnd = connection.component().onlyDescriptor();
        final Endpoint other = connection.component().onlyDescriptor();
        assertEquals("two", connection.component().readText(3));
        writeEnd.write("from the component");
        assertEquals("from the component", pipe[0].readText(18));
        assertTrue(other.isReadable());
        Endpoint.closeAll(writeEnd, other, pipe[0]);
    }

    @ParameterizedTest
    @EnumSource
    void shouldCloseWhatAComponentDoesNotTake(final Role from) {
        final Component indifferent = new Component(PAIR.proxy(ChannelPair.other(from))) {
            @Override
            void take(final PassedDescriptors passed) {
                assertEquals(1, passed.count());
                assertEquals(DescriptorClass.PIPE_READ_END, passed.kind(0));
            }
        };
        PAIR.accepting(() -> indifferent);
        final Endpoint application = PAIR.closing(Endpoint.connect(PAIR.forward(from)));
        PAIR.closing(indifferent);
        final Endpoint[] pipe = Endpoint.pipe();
        application.send("x", pipe[0]);
        pipe[0].close();
        assertEquals("x", indifferent.readText(1));
        pipe[1].awaitHangUp();
        pipe[1].close();
    }

    @ParameterizedTest
    @EnumSource
    void shouldKeepDescriptorsThatComeWhileAComponentIsPaused(final Role from) {
        final Connection connection = PAIR.fromApplication(from);
        connection.component().takeUpTo(2);
        final Endpoint[] pipe = Endpoint.pipe();
        connection.application().send("first");
        connection.application().send("second", pipe[0]);
        connection.application().send("third");
        pipe[0].close();
        connection.application().awaitTaken();
        connection.component().takeAll();
        assertEquals("firstsecondthird", connection.component().readText(16));
        final Endpoint readEnd = connection.component().onlyDescriptor();
        pipe[1].write("still there");
        assertEquals("still there", readEnd.readText(11));
        Endpoint.closeAll(readEnd, pipe[1]);
    }

    @ParameterizedTest
    @EnumSource
    void shouldLeaveDescriptorsToACallerWhoseBytesAreNotSent(final Role from) {
        final Connection connection = PAIR.toApplication(from);
        final Endpoint[] pipe = Endpoint.pipe();
        final OwnedFd readEnd = duplicate(pipe[0]);
        connection.component().close();
        connection.component().awaitClosed();
        assertEquals(Channel.CLOSED, connection.component().offer("late", readEnd));
        assertTrue(readEnd.isOpen());
        readEnd.close();
        Endpoint.closeAll(pipe);
    }

    @Test
    void shouldLeaveDescriptorsToACallerThatPassesOneOfThemTwice() {
        final Connection connection = PAIR.toApplication(Role.GUEST);
        final Endpoint[] pipe = Endpoint.pipe();
        final OwnedFd one = duplicate(pipe[0]);
        final OwnedFd other = duplicate(pipe[1]);
        final IllegalArgumentException thrown = refusal(connection.component(), one, other, one);
        assertTrue(thrown.getMessage().startsWith("descriptor 3 of 3 is the same as descriptor 1"), thrown::getMessage);
        assertTrue(one.isOpen() && other.isOpen());
        assertEquals(4, connection.component().offer("once", one, other));
        connection.application().receive().descriptors().forEach(Endpoint::close);
        Endpoint.closeAll(pipe);
    }

    @Test
    void shouldRefuseANumberThatIsNoDescriptorAndGoOn() {
        final Connection connection = PAIR.toApplication(Role.GUEST);
        final OwnedFd nothing = OwnedFd.of(Integer.MAX_VALUE);
        final IllegalArgumentException thrown = refusal(connection.component(), nothing);
        assertEquals("descriptor 1 of 1 (number " + Integer.MAX_VALUE + ") is not open", thrown.getMessage());
        assertEquals(4, connection.component().offer("next"));
        assertEquals("next", connection.application().readText(4));
        assertEquals(0, PAIR.sessionEnds().size());
    }

    private static IllegalArgumentException refusal(final Component component, final OwnedFd... passed) {
        final CompletionException thrown =
            assertThrows(CompletionException.class, () -> component.offer("x", passed));
        return assertInstanceOf(IllegalArgumentException.class, thrown.getCause());
    }

    @ParameterizedTest
    @EnumSource
    void shouldPassDescriptorsBetweenTwoComponents(final Role from) {
        final Component[] ends = PAIR.components(from);
        final Endpoint[] sockets = Endpoint.socketPair(Constants.SOCK_SEQPACKET);
        final OwnedFd passed = duplicate(sockets[1]);
        ends[0].offer("x", passed);
        assertFalse(passed.isOpen());
        sockets[1].close();
        final Endpoint standIn = ends[1].onlyDescriptor();
        final byte[] packet = Pattern.bytes(9, 3000);
        sockets[0].send(packet);
        assertArrayEquals(packet, standIn.receive().bytes());
        Endpoint.closeAll(standIn, sockets[0]);
    }

    static OwnedFd duplicate(final Endpoint endpoint) {
        return OwnedFd.of(endpoint.fd()).duplicate();
    }
}
