/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import org.agrona.DirectBuffer;

/**
 * The flags that the JVM must be started with, so that error messages can name a missing one.
 *
 * <p>Their values depend on where the jars are: {@code ALL-UNNAMED} on the class path, the modules' names on the module
 * path. An executable jar sets them itself, with {@code Add-Exports} and {@code Enable-Native-Access} in its manifest.
 */
public final class JvmFlags {
    private static final String INTERNAL_PACKAGE = "jdk.internal.misc";

    private JvmFlags() {
    }

    /**
     * Checks that Agrona's buffers may access the JDK package they are built on; otherwise they would fail at their
     * first use.
     *
     * @throws IllegalAccessError naming the flag that is missing.
     */
    public static void requireExports() {
        // An interface: loading it does not touch the internal package yet.
        final Module agrona = DirectBuffer.class.getModule();
        if (!Object.class.getModule().isExported(INTERNAL_PACKAGE, agrona)) {
            throw new IllegalAccessError(
                "Agrona's buffers need java.base/" + INTERNAL_PACKAGE + ": start the JVM with "
                + addExports(agrona.getName()) + " (or have Add-Exports: java.base/" + INTERNAL_PACKAGE
                + " in the manifest of an executable jar)");
        }
    }

    /** The flag without which some JVMs refuse to load the shim and JNA's library. */
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
