/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Counts this process's open descriptors, for tests to compare before and after.
 *
 * <p>Those that the JVM opens at any time are left out: jars, and its sources of random numbers.
 */
public final class Descriptors {
    private static final Path DIRECTORY = Path.of("/proc/self/fd");
    private static final int ATTEMPTS = 250;
    private static final long INTERVAL_MS = 20;

    static {
        // With its first file channel the JDK opens a socket that it keeps (sun.nio.ch.FileDispatcherImpl, preCloseFD).
        try {
            FileChannel.open(Path.of("/dev/null")).close();
        } catch (final IOException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private Descriptors() {
    }

    /** How many are open. */
    public static int count() {
        return list().size();
    }

    /** Those that are open, for messages. */
    public static String describe() {
        return list().toString();
    }

    /** One that refers to {@code target}, which there must be. */
    public static int find(final String target) {
        return list().stream().filter(open -> open.endsWith(" -> " + target))
            .mapToInt(open -> Integer.parseInt(open.substring(0, open.indexOf(' ')))).findFirst().orElseThrow();
    }

    /**
     * Waits for some seconds at most until no more than {@code expected} are open: the JVM's own threads open and close
     * descriptors, and one that was just being closed when they were counted is not a leak.
     */
    public static void assertCount(final int expected) throws InterruptedException {
        List<String> actual = list();
        for (int i = 0; i < ATTEMPTS && actual.size() > expected; i++) {
            Thread.sleep(INTERVAL_MS);
            actual = list();
        }
        if (actual.size() > expected) {
            fail("open descriptors: expected=" + expected + ", actual=" + actual.size() + ": " + actual);
        }
    }

    private static List<String> list() {
        final List<String> open = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(DIRECTORY)) {
            for (final Path entry : entries) {
                try {
                    final String target = Files.readSymbolicLink(entry).toString();
                    if (!isTheJvms(target)) {
                        open.add(entry.getFileName() + " -> " + target);
                    }
                } catch (final NoSuchFileException e) {
                    // Closed since the directory was read.
                }
            }
        } catch (final IOException e) {
            throw new IllegalStateException(e);
        }
        return open;
    }

    private static boolean isTheJvms(final String target) {
        return target.endsWith(".jar") || target.endsWith("/fd")
            || "/dev/random".equals(target) || "/dev/urandom".equals(target);
    }
}
