/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import io.vsockproxy.Forward;
import io.vsockproxy.LinkAddress;
import io.vsockproxy.Role;
import io.vsockproxy.SessionListener;
import io.vsockproxy.VsockProxy;
import io.vsockproxy.config.Extensions;
import io.vsockproxy.config.SessionLimits;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.MountedPair;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.AfterTestExecutionCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A host and a guest in this process, a listening application and a component on each side, for the tests of one class.
 * After each test as many descriptors must be open as before, and every reported error must have been checked.
 */
final class ChannelPair
    implements BeforeAllCallback, BeforeEachCallback, AfterTestExecutionCallback, AfterEachCallback, AfterAllCallback {
    /** The name that the components of both sides have. */
    static final String COMPONENT = "component";

    private final Extensions extensions;
    private final SessionLimits limits;
    private final Map<Role, Endpoint> servers = new EnumMap<>(Role.class);
    private final Deque<AutoCloseable> opened = new ArrayDeque<>();
    private final Queue<Throwable> errors = new ConcurrentLinkedQueue<>();
    private final Queue<String> ends = new ConcurrentLinkedQueue<>();
    private Path directory;
    private VsockProxy host;
    private VsockProxy guest;
    private volatile Supplier<ChannelHandler> acceptor;
    private int descriptorsBefore;

    ChannelPair() {
        this(Extensions.DEFAULTS);
    }

    ChannelPair(final Extensions extensions) {
        this(extensions, SessionLimits.DEFAULTS);
    }

    ChannelPair(final Extensions extensions, final SessionLimits limits) {
        this.extensions = extensions;
        this.limits = limits;
    }

    VsockProxy proxy(final Role role) {
        return role == Role.HOST ? host : guest;
    }

    /** Where that side's application listens. */
    Path target(final Role role) {
        return directory.resolve(role + "-target");
    }

    /** Where that side's applications connect to reach the other side's component. */
    Path forward(final Role role) {
        return directory.resolve(role + "-forward");
    }

    Path directory() {
        return directory;
    }

    static Role other(final Role role) {
        return role == Role.HOST ? Role.GUEST : Role.HOST;
    }

    /** What answers the next connect to a component. */
    void accepting(final Supplier<ChannelHandler> handler) {
        acceptor = handler;
    }

    /** A component of {@code from}, and the application of the other side that it is connected to. */
    Connection toApplication(final Role from) {
        final Component component = new Component(proxy(from));
        proxy(from).connect(target(other(from)).toString(), component);
        final Endpoint application = servers.get(other(from)).accept();
        opened.push(application);
        closing(component);
        component.channel();
        return new Connection(component, application);
    }

    /** An application of {@code from} that connects to the other side's component. */
    Connection fromApplication(final Role from) {
        final Component component = new Component(proxy(other(from)));
        acceptor = () -> component;
        final Endpoint application = Endpoint.connect(forward(from));
        opened.push(application);
        closing(component);
        component.channel();
        return new Connection(component, application);
    }

    /** Two components: that of {@code from}, which connects, and the other side's. */
    Component[] components(final Role from) {
        final Component accepting = new Component(proxy(other(from)));
        acceptor = () -> accepting;
        final Component connecting = new Component(proxy(from));
        proxy(from).connect(COMPONENT, connecting);
        closing(connecting);
        closing(accepting);
        return new Component[] {connecting, accepting};
    }

    /** Has it closed after the test, and its end waited for. */
    void closing(final Component component) {
        component.channel();
        opened.push(() -> {
            if (!component.isClosed()) {
                component.close();
            }
            component.awaitClosed();
        });
    }

    <T extends AutoCloseable> T closing(final T closeable) {
        opened.push(closeable);
        return closeable;
    }

    /** The errors that were reported since the last call. */
    List<Throwable> takeErrors() {
        final List<Throwable> all = List.copyOf(errors);
        errors.clear();
        return all;
    }

    Queue<String> sessionEnds() {
        return ends;
    }

    /** What one component and one application have between them. */
    record Connection(Component component, Endpoint application) { }

    @Override
    public void beforeAll(final ExtensionContext context) throws IOException {
        directory = Files.createTempDirectory("vp");
        for (final Role role : Role.values()) {
            servers.put(role, Endpoint.listen(target(role)));
        }
        host = VsockProxy.launch(context(Role.HOST));
        guest = VsockProxy.launch(context(Role.GUEST));
        guest.ready().orTimeout(Await.TIMEOUT_MS, TimeUnit.MILLISECONDS).join();
        // The first connection and the first file load classes and open descriptors that stay.
        FileCalls.load();
        for (final Role from : Role.values()) {
            final Component[] pair = components(from);
            pair[0].offer("x");
            pair[1].readText(1);
            afterTestExecution(context);
        }
    }

    @Override
    public void beforeEach(final ExtensionContext context) {
        // Only once, when all pairs of the class have been started.
        if (descriptorsBefore == 0) {
            descriptorsBefore = Await.stable(Descriptors::count);
        }
    }

    @Override
    public void afterTestExecution(final ExtensionContext context) {
        while (!opened.isEmpty()) {
            try {
                opened.pop().close();
            } catch (final Exception e) {
                throw new AssertionError(e);
            }
        }
    }

    @Override
    public void afterEach(final ExtensionContext context) {
        final List<Throwable> unexpected = takeErrors();
        if (!unexpected.isEmpty()) {
            throw new AssertionError("errors: " + unexpected, unexpected.get(0));
        }
        Await.untilEqual(descriptorsBefore, Descriptors::count, "open descriptors");
    }

    @Override
    public void afterAll(final ExtensionContext context) throws IOException {
        guest.close();
        host.close();
        servers.values().forEach(Endpoint::close);
        MountedPair.delete(directory);
    }

    VsockProxy.Context context(final Role role) {
        return new VsockProxy.Context().role(role)
            .address(LinkAddress.unix(directory.resolve("link").toString()))
            .allowConnect(target(role).toString())
            .accept(COMPONENT, (peer, name) -> acceptor.get())
            .forward(new Forward(forward(role).toString(), COMPONENT))
            .extensions(extensions)
            .limits(limits)
            .errorHandler(errors::add)
            .sessionListener(new SessionListener() {
                @Override
                public void onEnded(final Peer peer, final String reason) {
                    ends.add(peer.name() + ": " + reason);
                }
            });
    }
}
