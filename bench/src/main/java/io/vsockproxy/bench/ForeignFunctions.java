/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.bench;

import java.lang.invoke.MethodHandle;
import java.lang.reflect.Array;
import java.util.Optional;

/**
 * The Foreign Function and Memory API, found by reflection, because it is final only from JDK 22 on, and this code is
 * compiled for 17.
 */
final class ForeignFunctions {
    private static final int FIRST_VERSION = 22;
    private static final String PACKAGE = "java.lang.foreign.";

    private ForeignFunctions() {
    }

    /** A handle for a function {@code int name(int)} of the C library, or null where the JDK is too old. */
    static MethodHandle intToInt(final String name) {
        if (Runtime.version().feature() < FIRST_VERSION) {
            return null;
        }
        try {
            final Class<?> linkerClass = Class.forName(PACKAGE + "Linker");
            final Class<?> descriptorClass = Class.forName(PACKAGE + "FunctionDescriptor");
            final Object integer = Class.forName(PACKAGE + "ValueLayout").getField("JAVA_INT").get(null);
            final Object arguments = Array.newInstance(Class.forName(PACKAGE + "MemoryLayout"), 1);
            Array.set(arguments, 0, integer);
            final Object options = Array.newInstance(Class.forName(PACKAGE + "Linker$Option"), 0);

            final Object linker = linkerClass.getMethod("nativeLinker").invoke(null);
            final Object lookup = linkerClass.getMethod("defaultLookup").invoke(linker);
            final Optional<?> symbol = (Optional<?>) Class.forName(PACKAGE + "SymbolLookup")
                .getMethod("find", String.class).invoke(lookup, name);
            final Object descriptor = descriptorClass
                .getMethod("of", Class.forName(PACKAGE + "MemoryLayout"), arguments.getClass())
                .invoke(null, integer, arguments);
            return (MethodHandle) linkerClass
                .getMethod(
                    "downcallHandle", Class.forName(PACKAGE + "MemorySegment"), descriptorClass, options.getClass())
                .invoke(linker, symbol.orElseThrow(), descriptor, options);
        } catch (final ReflectiveOperationException e) {
            throw new IllegalStateException("the foreign function API is not as in JDK " + FIRST_VERSION, e);
        }
    }
}
