/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import io.vsockproxy.Forward;
import io.vsockproxy.LinkAddress;
import io.vsockproxy.Role;
import io.vsockproxy.VsockProxy;
import io.vsockproxy.config.Extensions;
import io.vsockproxy.config.SessionLimits;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * A guest in this process, and the raw host that it has connected to.
 */
public final class RunningGuest implements AutoCloseable {
    /** What the host is asked to connect to. */
    public static final String REMOTE_PATH = "/on/the/host";

    private final Path directory;
    private final Endpoint listening;
    private final VsockProxy guest;
    private RawPeer host;

    /** With the default limits. */
    public RunningGuest() {
        this(SessionLimits.DEFAULTS);
    }

    /** With limits of its own. */
    public RunningGuest(final SessionLimits limits) {
        this(limits, Extensions.DEFAULTS);
    }

    /** Starts it and waits until it serves. */
    public RunningGuest(final SessionLimits limits, final Extensions extensions) {
        try {
            directory = Files.createTempDirectory("vp");
        } catch (final IOException e) {
            throw new UncheckedIOException(e);
        }
        final LinkAddress link = TestLink.in(directory);
        listening = Endpoint.listen(link);
        guest = VsockProxy.launch(new VsockProxy.Context().role(Role.GUEST).limits(limits).extensions(extensions)
            .drainTimeoutNs(0)
            .address(link)
            .forward(new Forward(forward().toString(), REMOTE_PATH)));
        host = RawPeer.hostOf(listening);
        guest.ready().orTimeout(Await.TIMEOUT_MS, TimeUnit.MILLISECONDS).join();
    }

    /** The other end of its link. */
    public RawPeer host() {
        return host;
    }

    /** The guest itself. */
    public VsockProxy proxy() {
        return guest;
    }

    /** Waits for it to connect again. */
    public RawPeer acceptAgain() {
        host.close();
        host = RawPeer.hostOf(listening);
        return host;
    }

    /** Where it listens for applications. */
    public Path forward() {
        return directory.resolve("forward");
    }

    /** An application connects to it. */
    public Endpoint connectApplication() {
        return Endpoint.connect(forward());
    }

    @Override
    public void close() {
        guest.close();
        host.close();
        listening.close();
        try {
            Files.deleteIfExists(directory.resolve("link"));
            // The directory must contain nothing else.
            Files.delete(directory);
        } catch (final IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
