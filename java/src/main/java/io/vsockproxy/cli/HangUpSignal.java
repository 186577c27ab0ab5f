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
     * Has {@code task} run at each SIGHUP from now on, in place of the JVM's shutdown. The JVM has a thread for each
     * signal; they take turns, so that what came of an earlier one never replaces what came of a later one.
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
                        synchronized (task) {
                            task.run();
                        }
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
