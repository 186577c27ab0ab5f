/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.packaging;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * An installed JDK.
 *
 * @param feature 17 or 25.
 * @param home    its directory, or null when it is not installed.
 */
record Jdk(int feature, Path home) {
    private static final Path DIRECTORY = Path.of("/usr/lib/jvm");

    /** Those that the library is for. */
    static List<Jdk> supported() throws IOException {
        return List.of(find(17), find(25));
    }

    /** One whose JVM can be told to refuse native access. */
    static Jdk thatDenies() throws IOException {
        return find(25);
    }

    /** The path of its launcher; the test is skipped when it is not installed. */
    String java() {
        assumeTrue(home != null, "no JDK " + feature + " below " + DIRECTORY);
        return home.resolve("bin/java").toString();
    }

    /** Whether native access without leave is only warned about unless it is denied. */
    boolean restrictsNativeAccess() {
        return feature >= 24;
    }

    @Override
    public String toString() {
        return "JDK " + feature;
    }

    private static Jdk find(final int feature) throws IOException {
        if (Runtime.version().feature() == feature) {
            return new Jdk(feature, Path.of(System.getProperty("java.home")));
        }
        if (!Files.isDirectory(DIRECTORY)) {
            return new Jdk(feature, null);
        }
        try (Stream<Path> candidates = Files.list(DIRECTORY)) {
            return new Jdk(feature, candidates.filter(home -> isOf(home, feature)).findFirst().orElse(null));
        }
    }

    private static boolean isOf(final Path home, final int feature) {
        try {
            return Files.isExecutable(home.resolve("bin/java"))
                && Files.readString(home.resolve("release")).contains("JAVA_VERSION=\"" + feature);
        } catch (final IOException e) {
            return false;
        }
    }
}
