/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package consumer;

import java.io.File;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * {@link Consumer} four times at once, twice in each of two class loaders that share nothing but the JDK: eight proxies
 * in one JVM.
 */
public final class TwoClassLoaders {
    private static final int TIMES = 2;

    private TwoClassLoaders() {
    }

    /** See the class. */
    public static void main(final String[] args) throws Exception {
        final String[] entries = System.getProperty("java.class.path").split(File.pathSeparator, -1);
        final URL[] urls = new URL[entries.length];
        for (int i = 0; i < entries.length; i++) {
            urls[i] = Path.of(entries[i]).toUri().toURL();
        }
        final ExecutorService executor = Executors.newFixedThreadPool(2 * TIMES);
        try (URLClassLoader first = new URLClassLoader(urls, ClassLoader.getPlatformClassLoader());
            URLClassLoader second = new URLClassLoader(urls, ClassLoader.getPlatformClassLoader())) {
            final List<Callable<Object>> tasks = new ArrayList<>();
            for (final ClassLoader loader : List.of(first, second)) {
                final Class<?> consumer = loader.loadClass(Consumer.class.getName());
                for (int i = 0; i < TIMES; i++) {
                    final Path directory = Files.createDirectory(Path.of(args[0]).resolve("run" + tasks.size()));
                    tasks.add(() -> consumer.getMethod("main", String[].class)
                        .invoke(null, (Object) new String[] {directory.toString()}));
                }
            }
            for (final Future<Object> outcome : executor.invokeAll(tasks)) {
                outcome.get();
            }
        } finally {
            executor.shutdown();
        }
    }
}
