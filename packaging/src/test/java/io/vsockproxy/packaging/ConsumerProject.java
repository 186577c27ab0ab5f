/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.packaging;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * The project in {@code src/consumer}, built by Maven using only what was published.
 */
final class ConsumerProject {
    private static final long BUILD_TIMEOUT_S = 120;
    private static final long RUN_TIMEOUT_S = 60;
    private static final List<String> PLUGINS =
        List.of("maven-resources-plugin", "maven-compiler-plugin", "maven-dependency-plugin");
    private static final Path SOURCE = Published.CHECKOUT.resolve("packaging/src/consumer");

    private final Path directory;

    private ConsumerProject(final Path directory) {
        this.directory = directory;
    }

    /** Builds it in {@code directory}, with a local repository of its own and without a network. */
    static ConsumerProject build(final Path directory) throws Exception {
        for (final String file : List.of("pom.xml", "settings.xml")) {
            String text = Files.readString(SOURCE.resolve(file))
                .replace("@dependencies@", Readme.block("<dependency>").replace("linux-x86_64", Published.CLASSIFIER))
                .replace("@repository@", Published.REPOSITORY.toUri().toString())
                .replace("@central@", Published.LOCAL_REPOSITORY.toUri().toString())
                .replace("@local@", directory.resolve("local").toString());
            for (final String plugin : PLUGINS) {
                text = text.replace("@" + plugin + "@", Published.pluginVersion(plugin));
            }
            Files.writeString(directory.resolve(file), text);
        }
        try (Stream<Path> sources = Files.walk(SOURCE.resolve("java"))) {
            for (final Path source : sources.toList()) {
                Files.copy(source, directory.resolve(SOURCE.relativize(source).toString()));
            }
        }
        // A module cannot have classes outside a package.
        Files.writeString(
            directory.resolve("java/consumer/Hello.java"), "package consumer;\n" + Readme.block("import "));
        Outcome.of(directory, BUILD_TIMEOUT_S, List.of(
            System.getProperty("packaging.maven"), "-B", "-q", "-s", "settings.xml", "compile")).succeeded();
        return new ConsumerProject(directory);
    }

    /** Runs a class on the class path, with the jars whose names {@code jars} accepts. */
    Outcome runOnClassPath(final Jdk jdk, final List<String> options, final Predicate<String> jars, final String main)
        throws Exception {
        return run(jdk, options, List.of("-cp", path(jars), main));
    }

    /** The command that runs a class on the class path, all jars on it. */
    List<String> command(final Jdk jdk, final List<String> options, final String main) throws IOException {
        final List<String> command = command(jdk, options);
        command.addAll(List.of("-cp", path(jar -> true), main));
        return command;
    }

    /** Runs a class on the module path. */
    Outcome runOnModulePath(final Jdk jdk, final List<String> options, final String main) throws Exception {
        return run(jdk, options, List.of("-p", path(jar -> true), "-m", "consumer/" + main));
    }

    /** The names of the jars that Maven took from the repositories. */
    List<String> jars() throws IOException {
        try (Stream<Path> jars = Files.list(directory.resolve("lib"))) {
            return jars.map(jar -> jar.getFileName().toString()).sorted().toList();
        }
    }

    private Outcome run(final Jdk jdk, final List<String> options, final List<String> program) throws Exception {
        final Path sockets = Files.createTempDirectory(directory, "s");
        final List<String> command = command(jdk, options);
        command.addAll(program);
        command.add(sockets.toString());
        return Outcome.of(directory, RUN_TIMEOUT_S, command);
    }

    private static List<String> command(final Jdk jdk, final List<String> options) {
        final List<String> command = new ArrayList<>(
            List.of(jdk.java(), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
        command.addAll(options);
        return command;
    }

    private String path(final Predicate<String> jars) throws IOException {
        final List<String> entries = new ArrayList<>(List.of(directory.resolve("target/classes").toString()));
        for (final String jar : jars()) {
            if (jars.test(jar)) {
                entries.add(directory.resolve("lib").resolve(jar).toString());
            }
        }
        return String.join(File.pathSeparator, entries);
    }
}
