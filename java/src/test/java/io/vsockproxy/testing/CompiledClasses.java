/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import io.vsockproxy.VsockProxy;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * The engine's own classes, as the build has compiled them.
 */
public final class CompiledClasses {
    private static final String SUFFIX = ".class";

    private CompiledClasses() {
    }

    /** All of them, nested ones too, not initialised. */
    public static List<Class<?>> all() throws IOException, URISyntaxException, ClassNotFoundException {
        final Path root = Path.of(VsockProxy.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        final List<Class<?>> classes = new ArrayList<>();
        try (Stream<Path> files = Files.walk(root)) {
            for (final Path file : files.map(root::relativize).toList()) {
                final String name = file.toString();
                if (name.endsWith(SUFFIX) && !name.endsWith("-info" + SUFFIX)) {
                    final String className = name.substring(0, name.length() - SUFFIX.length()).replace('/', '.');
                    classes.add(Class.forName(className, false, CompiledClasses.class.getClassLoader()));
                }
            }
        }
        return classes;
    }
}
