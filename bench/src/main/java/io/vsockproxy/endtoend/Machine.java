/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.endtoend;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What the figures were measured on.
 */
final class Machine {
    private Machine() {
    }

    /** Headings and what to say below them. */
    static Map<String, String> describe(final EndToEnd.Pace pace, final String proxyFlags) {
        final Map<String, String> facts = new LinkedHashMap<>();
        facts.put("ended", Instant.now().truncatedTo(ChronoUnit.MINUTES) + ", load average " + loadAverage());
        facts.put("processor", processor() + ", " + Runtime.getRuntime().availableProcessors() + " CPUs");
        facts.put("kernel", System.getProperty("os.name") + " " + System.getProperty("os.version") + ", "
            + System.getProperty("os.arch"));
        facts.put("JDK", System.getProperty("java.vm.name") + " " + Runtime.version());
        facts.put("flags of the proxies' JVMs", proxyFlags);
        facts.put("flags of the other relays' JVMs", Way.relayFlags());
        facts.put("beside", versions("netty-transport-classes-epoll", "junixsocket-common"));
        facts.put("flags of the JVM that measures", String.join(" ",
            ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(flag -> !flag.contains("/")).toList()));
        final String options = System.getenv("VSOCK_PROXY_JAVA_OPTS");
        facts.put("VSOCK_PROXY_JAVA_OPTS", options == null || options.isEmpty() ? "not set" : options);
        facts.put("measured", "rounds: " + pace.rounds() + "; in each, every point for " + pace.measureMs()
            + " ms after " + pace.warmUpMs() + " ms of warm-up; the ways take turns");
        return facts;
    }

    /** The names of those of the class path's jars, which have the versions in them. */
    private static String versions(final String... names) {
        final String path = System.getProperty("java.class.path");
        return Stream.of(path.split(File.pathSeparator)).map(jar -> jar.substring(jar.lastIndexOf('/') + 1))
            .filter(jar -> Stream.of(names).anyMatch(jar::startsWith))
            .map(jar -> jar.replaceAll("\\.jar$", "")).sorted().collect(Collectors.joining(", "));
    }

    private static String loadAverage() {
        try {
            return Files.readString(Path.of("/proc/loadavg")).split(" ")[0];
        } catch (final IOException e) {
            return "unknown";
        }
    }

    private static String processor() {
        try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
            return lines.filter(line -> line.startsWith("model name")).findFirst()
                .map(line -> line.substring(line.indexOf(':') + 1).strip()).orElse("of unknown name");
        } catch (final IOException | UncheckedIOException e) {
            return "of unknown name";
        }
    }
}
