/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.crash;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.testing.Endpoint;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * An application that connects to the unix socket that it is given, begins a {@link Conversation} there, and another
 * one whenever that ends, until it is killed or its standard input ends.
 */
public final class KillableApplication {
    private static final long RETRY_MS = 5;

    private KillableApplication() {
    }

    /** See the class. */
    public static void main(final String[] args) throws InterruptedException {
        final Thread parent = new Thread(KillableApplication::endWithParent);
        parent.setDaemon(true);
        parent.start();
        System.out.println("ready");
        while (true) {
            try (Conversation conversation = Conversation.begin("application", Endpoint.connect(Path.of(args[0])))) {
                while (!conversation.hasAny(Activity::hasEnded)) {
                    TimeUnit.MILLISECONDS.sleep(RETRY_MS);
                }
            } catch (final PosixException | AssertionError e) {
                // The proxy has been killed, and will be restarted.
                TimeUnit.MILLISECONDS.sleep(RETRY_MS);
            }
        }
    }

    /** A test that is killed leaves nothing behind. */
    private static void endWithParent() {
        try (Endpoint input = Endpoint.of(0, "standard input")) {
            while (input.poll(Constants.EPOLLIN, 1000) == 0) {
                // Nothing is ever written to its input.
            }
        }
        Runtime.getRuntime().halt(0);
    }
}
