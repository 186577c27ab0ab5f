/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.packaging;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Where the files are: the checkout, what bin/test has published from it, and the second build elsewhere.
 */
final class Published {
    static final Path CHECKOUT = path("packaging.checkout");
    static final Path SECOND_CHECKOUT = path("packaging.second.checkout");
    static final Path REPOSITORY = path("packaging.repository");
    static final Path LOCAL_REPOSITORY = path("packaging.local.repository");
    static final String VERSION = System.getProperty("packaging.version");

    /** The platform that the tests run on. */
    static final String CLASSIFIER =
        "aarch64".equals(System.getProperty("os.arch")) ? "linux-aarch_64" : "linux-x86_64";

    private static final List<String> CLASSIFIERS =
        List.of("linux-x86_64", "linux-aarch_64", "sources", "javadoc", "cli");

    private Published() {
    }

    /** A jar as the build has left it; {@code classifier} is empty for that of the classes. */
    static Path jar(final String classifier) {
        return jar(CHECKOUT, classifier);
    }

    /** The same of another checkout. */
    static Path jar(final Path checkout, final String classifier) {
        final String suffix = classifier.isEmpty() ? "" : "-" + classifier;
        return checkout.resolve("java/target/vsock-proxy-" + VERSION + suffix + ".jar");
    }

    /** The classifiers of all jars; that of another platform only where its compiler was there to build it. */
    static List<String> classifiers() {
        return Stream.concat(Stream.of(""), CLASSIFIERS.stream())
            .filter(classifier -> !isOtherPlatform(classifier) || Files.exists(jar(classifier)))
            .toList();
    }

    /** The platforms among {@link #classifiers()}. */
    static List<String> platforms() {
        return classifiers().stream().filter(classifier -> classifier.startsWith("linux-")).toList();
    }

    /** The directory of the artifact in the repository that was published to. */
    static Path artifactDirectory() {
        return REPOSITORY.resolve("io/vsockproxy/vsock-proxy").resolve(VERSION);
    }

    /** The version of {@code artifactId}, a plugin, in the build's own pom. */
    static String pluginVersion(final String artifactId) throws IOException {
        return find("<artifactId>" + artifactId + "</artifactId>\\s*<version>([^<]*)</version>");
    }

    /** The value of a property of the build's own pom. */
    static String property(final String name) throws IOException {
        return find("<" + Pattern.quote(name) + ">([^<]*)</");
    }

    private static String find(final String expression) throws IOException {
        final Matcher matcher = Pattern.compile(expression).matcher(Files.readString(CHECKOUT.resolve("pom.xml")));
        if (!matcher.find()) {
            throw new IllegalStateException(expression + " is not in the pom");
        }
        return matcher.group(1);
    }

    private static boolean isOtherPlatform(final String classifier) {
        return classifier.startsWith("linux-") && !classifier.equals(CLASSIFIER);
    }

    private static Path path(final String property) {
        return Path.of(System.getProperty(property)).toAbsolutePath().normalize();
    }
}
