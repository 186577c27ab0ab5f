/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import io.vsockproxy.Role;
import io.vsockproxy.VsockProxy;
import io.vsockproxy.config.Extensions;
import io.vsockproxy.config.SessionLimits;
import io.vsockproxy.posix.Descriptors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A host and a guest in this process, each with settings of its own, and a listening application on each side, in a new
 * directory. {@link #expectNothingLeft} compares the state with that right after the start.
 *
 * <p>As a JUnit extension, one pair serves all tests of a class: after each, what was passed to {@link #closing} is
 * closed, and nothing may be left.
 */
public final class MixedPair implements AutoCloseable, AfterEachCallback, AfterAllCallback {
    private final Path directory;
    private final Endpoint hostServer;
    private final Endpoint guestServer;
    private final VsockProxy host;
    private final VsockProxy guest;
    private final LogCapture log;
    private final int descriptorsBefore;
    private final List<Endpoint> closing = new ArrayList<>();

    /** With the same settings on both sides. */
    public MixedPair(final Extensions both) {
        this(both, both, SessionLimits.DEFAULTS);
    }

    /** With settings for each side. */
    public MixedPair(final Extensions hostSide, final Extensions guestSide, final SessionLimits limits) {
        try {
            directory = Files.createTempDirectory("vp");
        } catch (final IOException e) {
            throw new UncheckedIOException(e);
        }
        log = new LogCapture();
        hostServer = Endpoint.listen(ProxyPair.hostTarget(directory));
        guestServer = Endpoint.listen(ProxyPair.guestTarget(directory));
        host = VsockProxy.launch(ProxyPair.hostContext(directory).extensions(hostSide).limits(limits));
        guest = VsockProxy.launch(ProxyPair.guestContext(directory).extensions(guestSide).limits(limits));
        guest.ready().orTimeout(Await.TIMEOUT_MS, TimeUnit.MILLISECONDS).join();
        Await.untilEqual(1, () -> probe(Role.HOST).sessionCount(), "sessions of the host");
        descriptorsBefore = Descriptors.count();
    }

    /** Connects through both: the end that asked, which is on {@code from}'s side, and the one that accepted. */
    public Endpoint[] connect(final Role from) {
        final Path path = from == Role.GUEST ? ProxyPair.guestForward(directory) : ProxyPair.hostForward(directory);
        return new Endpoint[] {Endpoint.connect(path), (from == Role.GUEST ? hostServer : guestServer).accept()};
    }

    /** Has these closed after the test. */
    public void closing(final Endpoint... ends) {
        closing.addAll(List.of(ends));
    }

    @Override
    public void afterEach(final ExtensionContext context) {
        closing.forEach(Endpoint::close);
        closing.clear();
        expectNothingLeft();
    }

    @Override
    public void afterAll(final ExtensionContext context) {
        close();
    }

    /** What the proxy on that side holds. */
    public SessionProbe probe(final Role side) {
        return new SessionProbe(side == Role.HOST ? host : guest);
    }

    /** What both log. */
    public LogCapture log() {
        return log;
    }

    /** Waits until no handle is left on either side, and no descriptor more is open than at the beginning. */
    public void expectNothingLeft() {
        expectNoHandles();
        // A descriptor that was just being closed when they were counted is not a leak.
        Await.until(
            () -> Descriptors.count() <= descriptorsBefore,
            () -> "open descriptors: expected=" + descriptorsBefore + ", actual=" + Descriptors.describe());
    }

    /** Waits until no handle is left on either side. */
    public void expectNoHandles() {
        Await.untilEqual(0, () -> probe(Role.GUEST).handleCount(), "handles of the guest");
        Await.untilEqual(0, () -> probe(Role.HOST).handleCount(), "handles of the host");
    }

    /** Ends both; a fault of theirs that they logged fails the test. */
    @Override
    public void close() {
        guest.close();
        host.close();
        Endpoint.closeAll(hostServer, guestServer);
        log.close();
        try (Stream<Path> paths = Files.walk(directory)) {
            for (final Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        } catch (final IOException e) {
            throw new UncheckedIOException(e);
        }
        if (!log.linesWith("a fault in the proxy").isEmpty()) {
            throw new AssertionError(log.linesWith(""));
        }
    }
}
