/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.LinkAddress;
import io.vsockproxy.Role;
import io.vsockproxy.VsockProxy;
import io.vsockproxy.config.Extensions;
import io.vsockproxy.config.SessionLimits;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.proto.ConnectResponse;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A host in this process, for the tests of one class. After each test the host must still serve a new guest, and have
 * as many open descriptors as before.
 */
public final class RunningHost
    implements BeforeAllCallback, AfterAllCallback, BeforeEachCallback, AfterEachCallback {
    /** A connection that a guest asked for: its handle, and what the host's application accepted. */
    public record Connection(long handle, Endpoint application) { }

    private final SessionLimits limits;
    private final Extensions extensions;
    private final Deque<AutoCloseable> opened = new ArrayDeque<>();
    private Path directory;
    private Endpoint target;
    private VsockProxy host;
    private LogCapture log;
    private int descriptorsBefore;

    /** One with the default limits. */
    public RunningHost() {
        this(SessionLimits.DEFAULTS);
    }

    /** One with limits of its own. */
    public RunningHost(final SessionLimits limits) {
        this(limits, Extensions.DEFAULTS);
    }

    /** One with limits and settings of the extension of its own. */
    public RunningHost(final SessionLimits limits, final Extensions extensions) {
        this.limits = limits;
        this.extensions = extensions;
    }

    /** A guest; closed after the test. */
    public RawPeer guest() {
        final RawPeer peer = RawPeer.guestOf(link());
        opened.push(peer);
        return peer;
    }

    /** Has something closed after the test. */
    public <T extends AutoCloseable> T closing(final T closeable) {
        opened.push(closeable);
        return closeable;
    }

    /** Has a pair closed after the test. */
    public Endpoint[] closing(final Endpoint[] pair) {
        for (final Endpoint end : pair) {
            opened.push(end);
        }
        return pair;
    }

    /** Where it listens for guests. */
    public LinkAddress link() {
        return TestLink.in(directory);
    }

    /** Where its application listens, which guests may connect to. */
    public Path targetPath() {
        return directory.resolve("target");
    }

    /** A path that is allowed, and where nothing is. */
    public Path nothingPath() {
        return directory.resolve("nothing");
    }

    /** A path that is allowed, of a socket on which nobody listens. */
    public Path deadPath() {
        return directory.resolve("dead");
    }

    /** Its application's listening socket. */
    public Endpoint target() {
        return target;
    }

    /** What it logs. */
    public LogCapture log() {
        return log;
    }

    /** The host itself. */
    public VsockProxy proxy() {
        return host;
    }

    /** Connects {@code guest} to the application. */
    public Connection connect(final RawPeer guest) {
        guest.send(Messages.connectRequest(-1, targetPath().toString()));
        final Endpoint application = closing(target.accept());
        final ConnectResponse response = guest.receive().getConnectResponse();
        assertEquals(-1, response.getCookie());
        assertEquals(0, response.getErrorCode());
        return new Connection(response.getHandle(), application);
    }

    /** A guest that does what ends its session, and the one line that says so. */
    public String sessionEnd(final Consumer<RawPeer> misdeed) {
        final RawPeer guest = guest();
        misdeed.accept(guest);
        guest.expectEnd();
        return log.awaitOne("session ended: ");
    }

    @Override
    public void beforeAll(final ExtensionContext context) throws IOException {
        directory = Files.createTempDirectory("vp");
        log = new LogCapture();
        target = Endpoint.listen(targetPath());
        Endpoint.listen(deadPath()).close();
        host = VsockProxy.launch(new VsockProxy.Context().role(Role.HOST)
            .address(link())
            .allowConnect(targetPath().toString())
            .allowConnect(nothingPath().toString())
            .allowConnect(deadPath().toString())
            .limits(limits)
            .extensions(extensions));
        host.ready().join();
        descriptorsBefore = Await.stable(Descriptors::count);
    }

    @Override
    public void beforeEach(final ExtensionContext context) {
        expectService();
        expectNothingLeft();
        // Lines about previous guests must not be mistaken for lines of the next test.
        Await.until(
            () -> log.linesWith("session began").size() == log.linesWith("session ended").size(),
            () -> "the end of every session: " + log.linesWith("session"));
        log.clear();
    }

    @Override
    public void afterEach(final ExtensionContext context) throws Exception {
        expectService();
        while (!opened.isEmpty()) {
            opened.pop().close();
        }
        expectNothingLeft();
        assertEquals(0, log.linesWith("a fault in the proxy").size(), () -> log.linesWith("").toString());
    }

    @Override
    public void afterAll(final ExtensionContext context) throws IOException {
        host.close();
        target.close();
        log.close();
        try (Stream<Path> paths = Files.walk(directory)) {
            for (final Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }

    private void expectNothingLeft() {
        Await.untilEqual(descriptorsBefore, Descriptors::count, "open descriptors");
    }

    /** A guest comes, is answered, and goes. */
    private void expectService() {
        try (RawPeer guest = RawPeer.guestOf(link())) {
            guest.send(Messages.connectRequest(-7, "/nobody/allowed/this"));
            final ConnectResponse response = guest.receive().getConnectResponse();
            assertEquals(-7, response.getCookie());
            assertEquals(Errno.EACCES, response.getErrorCode());
        }
    }
}
