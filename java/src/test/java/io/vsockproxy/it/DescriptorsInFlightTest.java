/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.ProxyPair;
import io.vsockproxy.testing.ProxyProcess;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.Received;
import io.vsockproxy.testing.TestLink;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * An unprivileged host, whose user may have no more descriptors in flight than RLIMIT_NOFILE (ETOOMANYREFS in unix(7)):
 * for a while there are too many.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class DescriptorsInFlightTest {
    private static final int LIMIT = 1000;
    private static final int IN_ONE_MESSAGE = 200;
    private static final int MESSAGES = 8;
    /** What takes the capabilities away that are an exception, and sets the limit. */
    private static final List<String> UNPRIVILEGED = List.of(
        "setpriv", "--bounding-set=-sys_resource,-sys_admin", "prlimit", "--nofile=" + LIMIT + ":" + LIMIT);

    @TempDir
    Path directory;
    private Endpoint target;
    private ProxyProcess host;
    private RawPeer guest;
    private final Endpoint[] applications = new Endpoint[2];
    private final long[] handles = new long[2];
    private Endpoint event;

    @BeforeEach
    void start() throws IOException, InterruptedException {
        FileCalls.load();
        final Process probe = new ProcessBuilder("setpriv", "--bounding-set=-sys_resource", "prlimit", "true").start();
        assumeTrue(probe.waitFor() == 0, "NEEDS: root, to take capabilities away from a process");
        target = Endpoint.listen(ProxyPair.hostTarget(directory));
        host = ProxyProcess.start(UNPRIVILEGED, ProxyPair.hostArguments(directory)).awaitReady();
        guest = RawPeer.guestOf(TestLink.in(directory));
        for (int i = 0; i < 2; i++) {
            guest.send(Messages.connectRequest(-1 - i, ProxyPair.hostTarget(directory).toString()));
            applications[i] = target.accept();
            handles[i] = guest.receive().getConnectResponse().getHandle();
        }
        event = Endpoint.eventfd(1);
    }

    @AfterEach
    void stop() {
        if (host != null) {
            Endpoint.closeAll(applications);
            event.close();
            guest.close();
            target.close();
            host.close();
        }
    }

    @Test
    void shouldSendOnWhenAPeerThatWasSlowReadsThem() {
        final Endpoint[] events = new Endpoint[IN_ONE_MESSAGE];
        Arrays.fill(events, event);
        for (int i = 0; i < MESSAGES; i++) {
            applications[0].send("x", events);
            applications[0].awaitTaken();
        }
        applications[1].send("behind them");
        int count = 0;
        VSockMessage message = guest.receive();
        while (message.getData().getHandle() == handles[0]) {
            count += message.getData().getTransferredFdCount();
            message = guest.receive();
        }
        assertEquals(MESSAGES * IN_ONE_MESSAGE, count);
        assertEquals("behind them", message.getData().getBlob().toStringUtf8());
    }

    @Test
    void shouldDeliverOnWhenAnApplicationThatWasSlowReceivesThem() {
        final FileDescriptor[] entries = new FileDescriptor[IN_ONE_MESSAGE];
        Arrays.fill(entries, Messages.descriptor(FileDescriptor.Type.TRANSPORTABLE, 0));
        final Endpoint[] events = new Endpoint[IN_ONE_MESSAGE];
        Arrays.fill(events, event);
        for (int i = 0; i < MESSAGES; i++) {
            guest.link().send(RawPeer.frame(Messages.data(handles[0], "x", entries)), events);
            // Until the host has received them, they count for this process, which has no such limit.
            guest.link().awaitTaken();
        }
        guest.send(Messages.data(handles[1], "for another"));
        assertEquals("for another", applications[1].readText(11));
        int count = 0;
        for (int i = 0; i < MESSAGES; i++) {
            final Received received = applications[0].receive();
            count += received.descriptors().size();
            received.descriptors().forEach(Endpoint::close);
        }
        assertEquals(MESSAGES * IN_ONE_MESSAGE, count);
        assertEquals(0, guest.link().poll(Constants.EPOLLIN, 0) & Constants.EPOLLHUP);
        assertTrue(host.isAlive());
    }
}
