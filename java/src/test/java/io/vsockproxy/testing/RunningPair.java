/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import io.vsockproxy.Role;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A host and a guest, for the tests of one class. After each test, the test's process and each proxy must have as many
 * open descriptors as before.
 */
public final class RunningPair
    implements BeforeAllCallback, AfterAllCallback, BeforeEachCallback, AfterEachCallback {
    private final boolean processes;
    private final String[] arguments;
    private final Deque<Endpoint> opened = new ArrayDeque<>();
    private Path directory;
    private ProxyPair pair;
    private int[] descriptorsBefore;

    private RunningPair(final boolean processes, final String... arguments) {
        this.processes = processes;
        this.arguments = arguments;
    }

    /** Two child processes, with arguments of their own. */
    public static RunningPair processes(final String... arguments) {
        return new RunningPair(true, arguments);
    }

    /** Two proxies in this process. */
    public static RunningPair inProcess() {
        return new RunningPair(false);
    }

    /** The pair. */
    public ProxyPair pair() {
        return pair;
    }

    /** For sockets and files of the tests. */
    public Path directory() {
        return directory;
    }

    /** Connects through both proxies: the end that asked, and the one that accepted; closed after the test. */
    public Endpoint[] connect(final Role from) {
        return closing(pair.connect(from));
    }

    /** Has each closed after the test. */
    public Endpoint[] closing(final Endpoint... endpoints) {
        opened.addAll(List.of(endpoints));
        return endpoints;
    }

    /** Has it closed after the test. */
    public Endpoint closing(final Endpoint endpoint) {
        opened.add(endpoint);
        return endpoint;
    }

    @Override
    public void beforeAll(final ExtensionContext context) throws IOException {
        directory = Files.createTempDirectory("vp");
        pair = processes ? ProxyPair.processes(directory, arguments) : ProxyPair.inProcess(directory);
        // The first connection loads classes and opens descriptors that stay.
        for (final Role from : Role.values()) {
            final Endpoint[] ends = pair.connect(from);
            ends[0].send("x");
            ends[1].readText(1);
            Endpoint.closeAll(ends);
        }
        countDescriptors();
    }

    /** So many as are open now must be open after each test. */
    public void countDescriptors() {
        Await.stable(() -> {
            descriptorsBefore = pair.descriptorCounts();
            return Arrays.stream(descriptorsBefore).sum();
        });
    }

    @Override
    public void beforeEach(final ExtensionContext context) {
        pair.awaitDescriptorCounts(descriptorsBefore);
    }

    @Override
    public void afterEach(final ExtensionContext context) {
        opened.forEach(Endpoint::close);
        opened.clear();
        if (processes && context.getExecutionException().isPresent()) {
            System.out.println(pair.guestProcess() + "\n" + pair.hostProcess());
        }
        pair.awaitDescriptorCounts(descriptorsBefore);
    }

    @Override
    public void afterAll(final ExtensionContext context) throws IOException {
        pair.close();
        try (Stream<Path> paths = Files.walk(directory)) {
            for (final Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }
}
