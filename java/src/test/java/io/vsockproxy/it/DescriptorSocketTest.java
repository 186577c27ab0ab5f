/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static io.vsockproxy.proto.FileDescriptor.Type.FIFO_READ;
import static io.vsockproxy.proto.FileDescriptor.Type.TRANSPORTABLE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.VsockProxy;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.proto.ConnectResponse;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.Limits;
import io.vsockproxy.testing.LogCapture;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.ProxyPair;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.Received;
import io.vsockproxy.testing.TestLink;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A host whose link carries no descriptors, a second connection that does, and guests that may use both in any way.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class DescriptorSocketTest {
    /** A time after which a descriptor that does not come is given up; other tests send theirs far sooner. */
    private static final long SHORT_TIMEOUT_MS = 500;
    private static final long LONG_TIMEOUT_MS = 20_000;

    @TempDir
    Path directory;

    private final List<AutoCloseable> opened = new ArrayList<>();
    private int descriptorsBefore;
    private Endpoint target;
    private VsockProxy host;
    private LogCapture log;
    private RawPeer guest;
    private Endpoint beside;

    @BeforeEach
    void start() {
        FileCalls.load();
        descriptorsBefore = Await.stable(Descriptors::count);
        log = new LogCapture();
        target = Endpoint.listen(ProxyPair.hostTarget(directory));
        startHost(LONG_TIMEOUT_MS);
    }

    private void startHost(final long timeoutMs) {
        host = VsockProxy.launch(ProxyPair.hostContext(directory)
            .limits(Limits.with(Map.of("stallTimeoutNs", TimeUnit.MILLISECONDS.toNanos(timeoutMs))))
            .descriptorSocket(socket().toString()));
        host.ready().join();
        guest = closing(RawPeer.guestOf(TestLink.in(directory)));
        beside = closing(Endpoint.connect(socket()));
    }

    @AfterEach
    void stop() throws Exception {
        for (final AutoCloseable resource : opened) {
            resource.close();
        }
        host.close();
        target.close();
        log.close();
        Descriptors.assertCount(descriptorsBefore);
    }

    @Test
    void shouldTakeDescriptorsFromBesideTheLinkWhicheverComesFirst() {
        final long handle = connect();
        final Endpoint application = accepted();
        final long other = connect();
        final Endpoint otherApplication = accepted();
        final Endpoint[] events = events(4);
        beside.send("!", events[0]);
        guest.send(Messages.data(handle, "first", transportable(-10)));
        assertEquals(1, value(application.receive().only()));
        assertEquals(-10, confirmed());
        guest.send(Messages.data(handle, "second", transportable(-11), transportable(-12)));
        guest.send(Messages.data(handle, "third"));
        // The host has read all of it when it has passed on what comes behind it.
        expectUsable(other, otherApplication);
        assertFalse(application.isReadable());
        beside.send("!", events[1]);
        assertEquals(-11, confirmed());
        assertFalse(application.isReadable(), "half of a message's descriptors");
        beside.send("!", events[2]);
        assertEquals(-12, confirmed());
        final Received both = application.receive(6);
        assertEquals("second", both.text());
        assertEquals(2, value(both.descriptors().get(0)));
        assertEquals(3, value(both.descriptors().get(1)));
        assertEquals("third", application.readText(5));
    }

    @Test
    void shouldSendDescriptorsBesideTheLinkUnderHandlesOfTheirOwn() {
        final long handle = connect();
        final Endpoint application = accepted();
        final Endpoint[] pipe = Endpoint.pipe();
        closing(pipe[0]);
        closing(pipe[1]);
        application.send("three", events(2)[1], pipe[0], closing(Endpoint.eventfd(9)));
        final VSockMessage message = guest.receive();
        assertEquals(handle, message.getData().getHandle());
        final List<FileDescriptor> listed = message.getData().getTransferredFdList();
        assertEquals(List.of(TRANSPORTABLE, FIFO_READ, TRANSPORTABLE),
            listed.stream().map(FileDescriptor::getType).toList());
        assertTrue(listed.stream().allMatch(entry -> entry.getHandle() > handle), listed::toString);
        for (final long expected : new long[] {2, 9}) {
            final Received received = beside.receive(1);
            assertEquals(1, received.bytes().length);
            assertEquals(expected, value(received.only()));
        }
        // The Close that confirms it, and a second one, whose handle is no longer in use.
        guest.send(Messages.close(listed.get(0).getHandle()));
        guest.send(Messages.close(listed.get(0).getHandle()));
        expectUsable(handle, application);
    }

    @Test
    void shouldSkipTheDescriptorsOfMessagesThatCannotBeDelivered() {
        final long handle = connect();
        final Endpoint application = accepted();
        final Endpoint[] events = events(3);
        guest.send(Messages.data(424_242, "to nobody", transportable(-10), transportable(-11)));
        guest.send(Messages.data(handle, "here", transportable(-12)));
        for (final Endpoint event : events) {
            beside.send("!", event);
        }
        assertEquals(List.of(-10L, -11L, -12L), List.of(confirmed(), confirmed(), confirmed()));
        assertEquals(3, value(application.receive().only()));
    }

    @Test
    void shouldCloseOnlyTheStreamWhoseDescriptorDoesNotCome() {
        guest.close();
        host.close();
        startHost(SHORT_TIMEOUT_MS);
        final long handle = connect();
        final Endpoint application = accepted();
        final long other = connect();
        final Endpoint otherApplication = accepted();
        guest.send(Messages.data(handle, "waits in vain", transportable(-10)));
        expectUsable(other, otherApplication);
        final String line = log.awaitOne("no more descriptors will be carried");
        assertTrue(line.contains("did not come within " + SHORT_TIMEOUT_MS + " ms"), line);
        assertEquals(-10, confirmed());
        assertEquals(handle, confirmed());
        application.expectEnd();
        expectUsable(other, otherApplication);
        // From now on descriptors cannot be sent.
        otherApplication.send("in vain", events(1)[0]);
        assertEquals(other, confirmed());
        otherApplication.awaitHangUp();
        final long third = connect();
        final Endpoint thirdApplication = accepted();
        expectUsable(third, thirdApplication);
        guest.send(Messages.data(third, "in vain", transportable(-11), transportable(-12)));
        assertEquals(List.of(-11L, -12L, third), List.of(confirmed(), confirmed(), confirmed()));
        thirdApplication.expectEnd();
    }

    @Test
    void shouldGiveUpAConnectionWhoseBytesAndDescriptorsDoNotMatch() {
        final long handle = connect();
        final Endpoint application = accepted();
        beside.send("a byte alone");
        assertTrue(log.awaitOne("no more descriptors will be carried").contains("0 descriptors instead of 1"));
        expectUsable(handle, application);
        beside.awaitHangUp();
    }

    @Test
    void shouldServeTheNextGuestWithAConnectionOfItsOwn() {
        final RawPeer second = closing(RawPeer.guestOf(TestLink.in(directory)));
        second.expectEnd();
        guest.close();
        beside.awaitHangUp();
        final Endpoint secondBeside = closing(Endpoint.connect(socket()));
        guest = closing(RawPeer.guestOf(TestLink.in(directory)));
        final long handle = connect();
        final Endpoint application = accepted();
        secondBeside.send("!", events(1)[0]);
        guest.send(Messages.data(handle, "x", transportable(-10)));
        assertEquals(1, value(application.receive().only()));
    }

    @Test
    void shouldServeTheNextGuestAfterOneThatWasRefusedAndHadConnectedBesideItsLinkToo() {
        final RawPeer refused = closing(RawPeer.guestOf(TestLink.in(directory)));
        final Endpoint refusedBeside = closing(Endpoint.connect(socket()));
        refused.expectEnd();
        refusedBeside.close();
        guest.close();
        beside.awaitHangUp();
        guest = closing(RawPeer.guestOf(TestLink.in(directory)));
        final long handle = connect();
        final Endpoint application = accepted();
        final Endpoint nextBeside = closing(Endpoint.connect(socket()));
        nextBeside.send("!", events(1)[0]);
        guest.send(Messages.data(handle, "x", transportable(-10)));
        assertEquals(1, value(application.receive().only()));
    }

    private Path socket() {
        return directory.resolve("descriptors");
    }

    private <T extends AutoCloseable> T closing(final T resource) {
        opened.add(resource);
        return resource;
    }

    private long connect() {
        guest.send(Messages.connectRequest(-1, ProxyPair.hostTarget(directory).toString()));
        final ConnectResponse response = guest.receive().getConnectResponse();
        assertEquals(0, response.getErrorCode());
        return response.getHandle();
    }

    private Endpoint accepted() {
        return closing(target.accept());
    }

    private void expectUsable(final long handle, final Endpoint application) {
        guest.send(Messages.data(handle, "ping"));
        assertEquals("ping", application.readText(4));
    }

    private long confirmed() {
        final VSockMessage message = guest.receive();
        assertTrue(message.hasClose(), message::toString);
        return message.getClose().getHandle();
    }

    /** Eventfds of 1, 2, 3, ... */
    private Endpoint[] events(final int count) {
        final Endpoint[] events = new Endpoint[count];
        for (int i = 0; i < count; i++) {
            events[i] = closing(Endpoint.eventfd(i + 1));
        }
        return events;
    }

    private static long value(final Endpoint event) {
        try (event) {
            return ByteBuffer.wrap(event.readFully(Long.BYTES)).order(ByteOrder.nativeOrder()).getLong();
        }
    }

    private static FileDescriptor transportable(final long handle) {
        return Messages.descriptor(TRANSPORTABLE, handle);
    }
}
