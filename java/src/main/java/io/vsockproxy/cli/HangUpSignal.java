/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.cli;

import java.lang.reflect.Proxy;

/**
 * SIGHUP, by which daemons are told to read their configuration again.
 *
 * <p>By reflection, as the JDK's interface to signals (module jdk.unsupported) is none that javac lets pass without a
 * warning.
 */
final class HangUpSignal {
    private HangUpSignal() {
    }

    /**
     * Has {@code task} run at each SIGHUP from now on, on a thread of its own, in place of the JVM's shutdown.
     *
     * @throws IllegalStateException when this JVM knows no signals.
     */
    static void handle(final Runnable task) {
        try {
            final Class<?> signal = Class.forName("sun.misc.Signal");
            final Class<?> handler = Class.forName("sun.misc.SignalHandler");
            final Object handling = Proxy.newProxyInstance(
                handler.getClassLoader(), new Class<?>[] {handler}, (self, method, arguments) -> {
                    if (method.getName().equals("handle")) {
                        task.run();
                        return null;
                    }
                    return method.invoke(task, arguments);
                });
            signal.getMethod("handle", signal, handler)
                .invoke(null, signal.getConstructor(String.class).newInstance("HUP"), handling);
        } catch (final ReflectiveOperationException e) {
            throw new IllegalStateException("SIGHUP cannot be handled: " + e, e);
        }
    }
}
