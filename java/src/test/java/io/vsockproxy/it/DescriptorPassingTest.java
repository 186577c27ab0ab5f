/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.Role;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.InVirtualMachine;
import io.vsockproxy.testing.NeedsUnixLink;
import io.vsockproxy.testing.Received;
import io.vsockproxy.testing.RunningPair;
import io.vsockproxy.testing.RunsOverVsock;
import io.vsockproxy.testing.TestLink;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Many descriptors, descriptors in each other, and kinds that only the link itself can carry, through two processes.
 */
@RunsOverVsock
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class DescriptorPassingTest {
    private static final int MAX_DESCRIPTORS = 253;
    private static final int DEPTH = 5;

    @RegisterExtension
    static final RunningPair PAIR = RunningPair.processes();

    @ParameterizedTest
    @EnumSource
    void shouldCarryAsManyPipesAsOneMessageCanInOrder(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        final Endpoint[] readers = new Endpoint[MAX_DESCRIPTORS];
        final Endpoint[] writers = new Endpoint[MAX_DESCRIPTORS];
        for (int i = 0; i < MAX_DESCRIPTORS; i++) {
            final Endpoint[] pipe = PAIR.closing(Endpoint.pipe());
            readers[i] = pipe[0];
            writers[i] = pipe[1];
        }
        ends[0].pass("many", readers);
        final Received received = ends[1].receive();
        received.descriptors().forEach(PAIR::closing);
        assertEquals("many", received.text());
        assertEquals(MAX_DESCRIPTORS, received.descriptors().size());
        for (int i = 0; i < MAX_DESCRIPTORS; i++) {
            writers[i].write("pipe " + i);
        }
        for (int i = MAX_DESCRIPTORS - 1; i >= 0; i--) {
            final String expected = "pipe " + i;
            assertEquals(expected, received.descriptors().get(i).readText(expected.length()));
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldCarryDescriptorsOfAllKindsInOneMessageInOrder(final Role from) throws IOException {
        final Endpoint[] ends = PAIR.connect(from);
        final Endpoint[] stream = PAIR.closing(Endpoint.socketPair(Constants.SOCK_STREAM));
        final Endpoint[] datagram = PAIR.closing(Endpoint.socketPair(Constants.SOCK_DGRAM));
        final Endpoint[] seqpacket = PAIR.closing(Endpoint.socketPair(Constants.SOCK_SEQPACKET));
        final Endpoint[] in = PAIR.closing(Endpoint.pipe());
        final Endpoint[] out = PAIR.closing(Endpoint.pipe());
        // Kinds that need such a link, between the others and at both ends.
        final List<Endpoint> passed = new ArrayList<>(List.of(stream[1], in[0], datagram[1], out[1], seqpacket[1]));
        if (TestLink.carriesDescriptors()) {
            passed.addAll(3, List.of(PAIR.closing(Endpoint.eventfd(8))));
            passed.addAll(0, List.of(PAIR.closing(Endpoint.eventfd(7))));
        }
        ends[0].pass("all", passed.toArray(new Endpoint[0]));
        final List<Endpoint> received = new ArrayList<>(ends[1].receive().descriptors());
        received.forEach(PAIR::closing);
        assertEquals(passed.size(), received.size());
        if (TestLink.carriesDescriptors()) {
            assertEquals(7, value(received.remove(0)));
            assertEquals(8, value(received.remove(3)));
        }
        stream[0].send("stream");
        datagram[0].send("datagram");
        seqpacket[0].send("seqpacket");
        in[1].write("pipe");
        received.get(3).write("other pipe");
        assertEquals("stream", received.get(0).receive().text());
        assertEquals("pipe", received.get(1).readText(4));
        assertEquals("datagram", received.get(2).receive().text());
        assertEquals("other pipe", out[0].readText(10));
        assertEquals("seqpacket", received.get(4).receive().text());
    }

    @ParameterizedTest
    @EnumSource
    void shouldCarrySocketsInsidePassedSockets(final Role from) {
        Endpoint[] outer = PAIR.connect(from);
        final Endpoint[] first = outer;
        for (int depth = 1; depth <= DEPTH; depth++) {
            final int type = depth % 2 == 0 ? Constants.SOCK_SEQPACKET : Constants.SOCK_STREAM;
            final Endpoint[] inner = PAIR.closing(Endpoint.socketPair(type));
            // In one direction, and the next time in the other.
            final boolean there = depth % 2 == 1;
            outer[there ? 0 : 1].pass("depth " + depth, inner[1]);
            final Received received = outer[there ? 1 : 0].receive();
            assertEquals("depth " + depth, received.text());
            final Endpoint carried = PAIR.closing(received.only());
            outer = there ? new Endpoint[] {inner[0], carried} : new Endpoint[] {carried, inner[0]};
        }
        outer[0].send("innermost");
        assertEquals("innermost", outer[1].receive().text());
        outer[1].send("and back");
        assertEquals("and back", outer[0].receive().text());
        // What was passed stays open when the socket that it was passed on has been closed.
        Endpoint.closeAll(first);
        outer[0].send("still");
        assertEquals("still", outer[1].receive().text());
    }

    @ParameterizedTest
    @EnumSource
    void shouldCarryASocketThatWasPassedBefore(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        final Endpoint[] pair = PAIR.closing(Endpoint.socketPair(Constants.SOCK_STREAM));
        ends[0].pass("there", pair[1]);
        final Endpoint there = ends[1].receive().only();
        ends[1].pass("and back", there);
        final Endpoint back = PAIR.closing(ends[0].receive().only());
        pair[0].send("round trip");
        assertEquals("round trip", back.readText(10));
        back.send("and home");
        assertEquals("and home", pair[0].readText(8));
    }

    @ParameterizedTest
    @EnumSource
    @InVirtualMachine
    void shouldCloseTheStreamOnWhichKindsAreSentThatTheLinkCannotCarry(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        final Endpoint[] other = PAIR.connect(from);
        final Endpoint[] pipe = PAIR.closing(Endpoint.pipe());
        // All or none: the pipe could have been carried.
        ends[0].pass("three", pipe[0], Endpoint.eventfd(0));
        ends[1].expectEnd();
        ends[0].awaitHangUp();
        pipe[1].awaitHangUp();
        other[0].send("as ever");
        assertEquals("as ever", other[1].readText(7));
    }

    @ParameterizedTest
    @EnumSource
    @NeedsUnixLink
    void shouldCarryOtherKindsThemselvesOnAUnixLink(final Role from) throws IOException {
        final Endpoint[] ends = PAIR.connect(from);
        final Endpoint event = PAIR.closing(Endpoint.eventfd(0));
        final Path path = Files.createDirectory(PAIR.directory().resolve("directory-" + from));
        final Endpoint directory = Endpoint.open(path, Constants.O_RDONLY | Constants.O_DIRECTORY);
        final Path socketPath = PAIR.directory().resolve("listening-" + from);
        final Endpoint listening = Endpoint.listen(socketPath);
        ends[0].send("three", event, directory, listening);
        Endpoint.closeAll(directory, listening);
        final List<Endpoint> received = ends[1].receive().descriptors();
        received.forEach(PAIR::closing);
        assertEquals(3, received.size());
        // The same eventfd, not another one.
        received.get(0).write(ByteBuffer.allocate(Long.BYTES).order(ByteOrder.nativeOrder()).putLong(5).array());
        assertEquals(5, value(event));
        assertEquals(path, Files.readSymbolicLink(Path.of("/proc/self/fd/" + received.get(1).fd())));
        final Endpoint client = PAIR.closing(Endpoint.connect(socketPath));
        final Endpoint accepted = PAIR.closing(received.get(2).accept());
        client.send("accepted there");
        assertEquals("accepted there", accepted.readText(14));
        Files.delete(path);
        Files.delete(socketPath);
    }

    /** Which stat(2) calls a regular file, though there is nothing to be read: it is for setns(2). */
    @ParameterizedTest
    @EnumSource
    @NeedsUnixLink
    void shouldCarryANamespaceItselfOnAUnixLink(final Role from) throws IOException {
        final Path path = Path.of("/proc/self/ns/uts");
        final Endpoint[] ends = PAIR.connect(from);
        ends[0].pass("n", Endpoint.open(path, Constants.O_RDONLY));
        final Endpoint received = PAIR.closing(ends[1].receive().only());
        assertEquals(
            Files.readSymbolicLink(path), Files.readSymbolicLink(Path.of("/proc/self/fd/" + received.fd())));
    }

    @ParameterizedTest
    @EnumSource
    @NeedsUnixLink
    void shouldCarryAsManyOtherKindsAsOneMessageCanInOrder(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        final Endpoint[] events = new Endpoint[MAX_DESCRIPTORS];
        for (int i = 0; i < MAX_DESCRIPTORS; i++) {
            events[i] = PAIR.closing(Endpoint.eventfd(i + 1));
        }
        ends[0].pass("e", events);
        final List<Endpoint> received = new ArrayList<>(ends[1].receive().descriptors());
        received.forEach(PAIR::closing);
        assertEquals(MAX_DESCRIPTORS, received.size());
        for (int i = 0; i < MAX_DESCRIPTORS; i++) {
            assertEquals(i + 1, value(received.get(i)));
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldKeepDescriptorsWithTheirBytes(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        final Endpoint[] pipe = PAIR.closing(Endpoint.pipe());
        // Bytes before and after; the descriptors must arrive neither earlier nor later.
        ends[0].send("before");
        ends[0].send("with", pipe[0]);
        ends[0].send("after");
        final StringBuilder text = new StringBuilder();
        int at = -1;
        while (text.length() < 15) {
            final Received received = ends[1].receive();
            if (!received.descriptors().isEmpty()) {
                PAIR.closing(received.only());
                at = text.length();
                // A receive may also return earlier bytes, but not later ones.
                assertTrue((text + received.text()).startsWith("before"), text.toString());
            }
            text.append(received.text());
        }
        assertEquals("beforewithafter", text.toString());
        assertTrue(at >= 0 && at <= 6, "with the receive that began at " + at);
    }

    private static long value(final Endpoint event) {
        return ByteBuffer.wrap(event.readFully(Long.BYTES)).order(ByteOrder.nativeOrder()).getLong();
    }
}
