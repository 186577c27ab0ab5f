/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static io.vsockproxy.proto.FileDescriptor.Type.FIFO_READ;
import static io.vsockproxy.proto.FileDescriptor.Type.TRANSPORTABLE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Errno;
import io.vsockproxy.proto.ConnectResponse;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.ProxyProcess;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.Received;
import io.vsockproxy.testing.TestLink;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A host process with a low limit on descriptors, which runs out of them.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class FewDescriptorsTest {
    /** Enough for the JVM itself and then some. */
    private static final int LIMIT = 66;
    /** More than are spare then. */
    private static final int MANY = 20;

    @TempDir
    Path directory;
    private final Deque<Endpoint> opened = new ArrayDeque<>();
    private final Deque<Long> handles = new ArrayDeque<>();
    private Endpoint target;
    private ProxyProcess host;
    private RawPeer guest;

    @BeforeEach
    void start() {
        target = Endpoint.listen(directory.resolve("target"));
        host = ProxyProcess.start(
            List.of("sh", "-c", "ulimit -n " + LIMIT + "; exec \"$0\" \"$@\""),
            "host", "--listen", TestLink.in(directory).toString(),
            "--allow-connect", directory.resolve("target").toString()).awaitReady();
        guest = RawPeer.guestOf(TestLink.in(directory));
        useEveryClass();
    }

    @AfterEach
    void stop() {
        guest.close();
        opened.forEach(Endpoint::close);
        target.close();
        host.close();
    }

    @Test
    void shouldRefuseWhatItHasNoDescriptorsForAndServeAgainWhenItHas() {
        final int before = handles.size();
        useUpDescriptors();
        assertTrue(handles.size() > before + 5, "connections: " + handles.size());
        // A stand-in cannot be made either: only the stream that it was passed on ends.
        final long handle = handles.removeLast();
        final Endpoint application = opened.removeLast();
        guest.send(Messages.data(handle, "x", Messages.descriptor(FIFO_READ, -100)));
        assertEquals(-100, guest.receive().getClose().getHandle());
        assertEquals(handle, guest.receive().getClose().getHandle());
        application.expectEnd();
        application.close();
        assertEquals(0, connect(), "a connection with the descriptor that has become free");
        assertEquals(Errno.EMFILE, connect());
        // A guest that connects now waits in the backlog until there are descriptors.
        try (RawPeer next = RawPeer.guestOf(TestLink.in(directory))) {
            host.awaitErrorLine("accept: EMFILE");
            closeOne();
            closeOne();
            next.send(Messages.fstatRequest(-1, 1));
            assertEquals(Errno.EBADF, next.receive().getFstatResponse().getErrorCode());
        }
    }

    @Test
    void shouldLogAndCountTheConnectionsThatItHasNoDescriptorsFor() {
        useUpDescriptors();
        assertEquals(Errno.EMFILE, connect());
        final String line = host.awaitErrorLine("could not connect to");
        assertTrue(
            line.startsWith("WARNING guest 1") && line.endsWith("to '" + directory.resolve("target") + "': EMFILE"),
            line);
        guest.close();
        final String end = host.awaitErrorLine("session ended");
        assertTrue(end.contains(" refused connects=2,"), end);
    }

    @Test
    void shouldLogOnceThatItCanAcceptNothing() throws Exception {
        limitDescriptors("0");
        try (RawPeer next = RawPeer.guestOf(TestLink.in(directory))) {
            host.awaitErrorLine("accept: EMFILE");
            // The host tries to accept ten times a second.
            Thread.sleep(500);
            limitDescriptors(Integer.toString(LIMIT));
            next.send(Messages.fstatRequest(-1, 1));
            assertEquals(Errno.EBADF, next.receive().getFstatResponse().getErrorCode());
        }
        assertEquals(1, host.errors().stream().filter(line -> line.contains("accept: EMFILE")).count());
    }

    @Test
    void shouldLoseOnlyTheMessageWhoseDescriptorsItCouldNotReceive() {
        final long unlucky = handles.removeLast();
        final Endpoint unluckyApplication = opened.removeLast();
        final long lucky = handles.removeLast();
        final Endpoint luckyApplication = opened.removeLast();
        useUpDescriptors();
        // More than are left. The rest of the frame arrives in one receive with the next frame and its descriptor,
        // which must not be taken for one of the first frame's.
        final FileDescriptor entry = Messages.descriptor(TRANSPORTABLE, 0);
        final FileDescriptor[] entries = new FileDescriptor[MANY];
        Arrays.fill(entries, entry);
        final byte[] frame = RawPeer.frame(Messages.data(unlucky, "x", entries));
        try (Endpoint event = Endpoint.eventfd(0)) {
            final Endpoint[] events = new Endpoint[MANY];
            Arrays.fill(events, event);
            guest.link().send(Arrays.copyOf(frame, 9), events);
            guest.link().awaitTaken();
            host.signal("STOP");
            guest.link().send(Arrays.copyOfRange(frame, 9, frame.length));
            guest.send(Messages.data(lucky, "y", entry), event);
            host.signal("CONT");
        }
        assertEquals(unlucky, guest.receive().getClose().getHandle());
        unluckyApplication.expectEnd();
        luckyApplication.receive().only().close();
        guest.send(Messages.data(lucky, "z"));
        assertEquals("z", luckyApplication.readText(1));
        host.awaitErrorLine("descriptor 1 of " + MANY + " (TRANSPORTABLE): lost, out of descriptors");
        Endpoint.closeAll(unluckyApplication, luckyApplication);
    }

    @Test
    void shouldPassOnWhatItNeedNotKeepEvenWithNoDescriptorsLeft() {
        useUpDescriptors();
        final FileDescriptor entry = Messages.descriptor(TRANSPORTABLE, 0);
        try (Endpoint event = Endpoint.eventfd(0)) {
            for (int i = 0; i < 20; i++) {
                guest.send(Messages.data(handles.getLast(), "x", entry, entry, entry), event, event, event);
                final Received received = opened.getLast().receive();
                assertEquals(3, received.descriptors().size());
                received.descriptors().forEach(Endpoint::close);
            }
            // In the other direction they are sent on the link, and closed here at once.
            for (int i = 0; i < 20; i++) {
                opened.getLast().send("y", event, event, event);
                assertEquals(3, guest.receive().getData().getTransferredFdCount());
                for (int j = 0; j < 3; j++) {
                    guest.takeDescriptor().close();
                }
            }
        }
        // The JVM may have closed one of its own meanwhile.
        useUpDescriptors();
    }

    @Test
    void shouldCloseOnlyTheStreamWhoseDescriptorsItCannotKeep() {
        useUpDescriptors();
        final long unlucky = handles.removeLast();
        final Endpoint application = opened.removeLast();
        try (Endpoint event = Endpoint.eventfd(0)) {
            final Endpoint[] pipe = Endpoint.pipe();
            application.send("x", event, pipe[0]);
            Endpoint.closeAll(pipe);
        }
        assertEquals(unlucky, guest.receive().getClose().getHandle());
        application.expectEnd();
        application.close();
        host.awaitErrorLine("out of descriptors for 2 that came");
        assertEquals(0, connect(), "a connection with the descriptor that has become free");
        opened.getLast().send("still served");
        assertEquals("still served", guest.receive().getData().getBlob().toStringUtf8());
    }

    /** What a class that is loaded only then needs is a descriptor, which there would not be. */
    private void useEveryClass() {
        assertEquals(0, connect());
        guest.send(Messages.data(handles.getLast(), "x", Messages.descriptor(TRANSPORTABLE, 0)));
        assertEquals((long) handles.removeLast(), guest.receive().getClose().getHandle());
        opened.removeLast().close();
        assertEquals(0, connect());
        guest.send(Messages.data(handles.getLast(), "x", Messages.descriptor(FIFO_READ, -1)));
        opened.getLast().receive().only().close();
        assertEquals(-1, guest.receive().getClose().getHandle());
        assertEquals(0, connect());
    }

    /** Those that are open stay. */
    private void limitDescriptors(final String limit) throws Exception {
        final Process prlimit = new ProcessBuilder(
            "prlimit", "--pid", Long.toString(host.pid()), "--nofile=" + limit + ":").inheritIO().start();
        assertEquals(0, prlimit.waitFor());
    }

    private void useUpDescriptors() {
        int errno = connect();
        while (errno == 0) {
            assertTrue(handles.size() < LIMIT);
            errno = connect();
        }
        assertEquals(Errno.EMFILE, errno);
    }

    private int connect() {
        guest.send(Messages.connectRequest(-1, directory.resolve("target").toString()));
        final ConnectResponse response = guest.receive().getConnectResponse();
        if (response.getErrorCode() == 0) {
            handles.add(response.getHandle());
            opened.add(target.accept());
        }
        return response.getErrorCode();
    }

    private void closeOne() {
        guest.send(Messages.close(handles.removeLast()));
        final Endpoint application = opened.removeLast();
        application.expectEnd();
        application.close();
    }
}
