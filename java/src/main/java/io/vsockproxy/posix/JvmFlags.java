/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import org.agrona.DirectBuffer;

/**
 * The flags that the JVM must be started with: without them, what a caller sees should name them.
 *
 * <p>Both differ with where the jars are. On the class path they are granted to {@code ALL-UNNAMED}, on the module path
 * to the modules by name; an executable jar grants them itself, by {@code Add-Exports} and
 * {@code Enable-Native-Access} in its manifest.
 */
public final class JvmFlags {
    private static final String INTERNAL_PACKAGE = "jdk.internal.misc";

    private JvmFlags() {
    }

    /**
     * Checks that Agrona's buffers may use what they are made of, which they themselves would find out in the middle of
     * things.
     *
     * @throws IllegalAccessError naming the flag that is missing.
     */
    public static void requireExports() {
        // A type whose loading touches nothing internal yet.
        final Module agrona = DirectBuffer.class.getModule();
        if (!Object.class.getModule().isExported(INTERNAL_PACKAGE, agrona)) {
            throw new IllegalAccessError(
                "Agrona's buffers need java.base/" + INTERNAL_PACKAGE + ": start the JVM with "
                + addExports(agrona.getName()) + " (or have Add-Exports: java.base/" + INTERNAL_PACKAGE
                + " in the manifest of an executable jar)");
        }
    }

    /** The flag without which some JVMs refuse to load the shim, and JNA's own library. */
    public static String enableNativeAccess() {
        return enableNativeAccess(JvmFlags.class.getModule().getName());
    }

    /** {@code module}: that of Agrona, or null when it is on the class path. */
    static String addExports(final String module) {
        return "--add-exports java.base/" + INTERNAL_PACKAGE + "=" + (module == null ? "ALL-UNNAMED" : module);
    }

    /** {@code module}: that of this library, or null when it is on the class path. */
    static String enableNativeAccess(final String module) {
        return "--enable-native-access=" + (module == null ? "ALL-UNNAMED" : module + ",com.sun.jna");
    }
}
