/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.cli;

import java.lang.reflect.Proxy;

/**
 * SIGHUP, which tells daemons to read their configuration again.
 *
 * <p>Uses reflection, because javac warns about any direct use of the JDK's interface to signals (sun.misc.Signal in
 * module jdk.unsupported), and warnings are errors here.
 */
final class HangUpSignal {
    private HangUpSignal() {
    }

    /**
     * Runs {@code task} at each SIGHUP from now on, instead of shutting the JVM down. The JVM starts a thread for each
     * signal; they take turns, so that the outcome of an earlier signal never replaces that of a later one.
     *
     * @throws IllegalStateException when this JVM has no support for signals.
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
