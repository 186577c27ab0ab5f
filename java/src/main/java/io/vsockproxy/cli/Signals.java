/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.cli;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;

/**
 * Signals, such as SIGHUP, which tells daemons to read their configuration again.
 *
 * <p>Uses reflection, because javac warns about any direct use of the JDK's interface to signals (sun.misc.Signal in
 * module jdk.unsupported), and warnings are errors here.
 */
final class Signals {
    private Signals() {
    }

    /**
     * Runs {@code task} at each signal of this kind from now on, instead of shutting the JVM down. The JVM starts a
     * daemon thread for each signal; they take turns, so that the outcome of an earlier signal never replaces that of a
     * later one. A signal that the process was started to ignore stays ignored.
     *
     * @param name the signal's name without SIG.
     * @throws IllegalStateException when this JVM leaves the signal to others (java -Xrs).
     */
    static void handle(final String name, final Runnable task) {
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
                .invoke(null, signal.getConstructor(String.class).newInstance(name), handling);
        } catch (final InvocationTargetException e) {
            throw new IllegalStateException(
                "SIG" + name + " cannot be handled: " + e.getCause().getMessage(), e.getCause());
        } catch (final ReflectiveOperationException e) {
            throw new IllegalStateException("SIG" + name + " cannot be handled: " + e, e);
        }
    }
}
