/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.Role;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A host and a guest, child processes each with a mount for regular files, for the tests of one class. The test's own
 * process has the applications of both sides, so no process that serves a mount uses one.
 *
 * <p>After each test, the test's process and each proxy must have as many open descriptors as before; after the last,
 * no mount may be left. Skips the class where nothing can be mounted.
 */
public final class MountedPair implements BeforeAllCallback, AfterAllCallback, AfterEachCallback {
    private final Deque<Endpoint> opened = new ArrayDeque<>();
    private final String[] arguments;
    private final boolean carriesDescriptors;
    private Path directory;
    private Endpoint hostServer;
    private Endpoint guestServer;
    private ProxyProcess host;
    private ProxyProcess guest;
    private int[] descriptorsBefore;

    /**
     * A pair whose proxies both get these arguments too.
     */
    public MountedPair(final String... arguments) {
        this(true, arguments);
    }

    private MountedPair(final boolean carriesDescriptors, final String... arguments) {
        this.carriesDescriptors = carriesDescriptors;
        this.arguments = arguments;
    }

    /** A pair whose link carries no descriptors, as AF_VSOCK does not; nor does anything beside it. */
    public static MountedPair withoutDescriptors(final String... arguments) {
        return new MountedPair(false, arguments);
    }

    /** The process of that side. */
    public ProxyProcess proxy(final Role side) {
        return side == Role.HOST ? host : guest;
    }

    /** Where that side's mount is. */
    public Path mount(final Role side) {
        return mount(directory, side);
    }

    /** For files of the tests. */
    public Path directory() {
        return directory;
    }

    /** Connects through both proxies: the end that asked, and the one that accepted; closed after the test. */
    public Endpoint[] connect(final Role from) {
        return closing(Endpoint.connect(forward(from)), accept(from));
    }

    /** What an application of that side connects to, to reach one of the other. */
    public Path forward(final Role from) {
        return from == Role.GUEST ? ProxyPair.guestForward(directory) : ProxyPair.hostForward(directory);
    }

    /** The end that the other side gets of what was connected to {@link #forward}; the caller's. */
    public Endpoint accept(final Role from) {
        return (from == Role.GUEST ? hostServer : guestServer).accept();
    }

    /** Passes {@code file}, which stays the caller's, from one application to the other, which gets this. */
    public Endpoint pass(final Endpoint from, final Endpoint to, final Endpoint file) {
        from.send("f", file);
        final Received received = to.receive();
        received.descriptors().forEach(this::closing);
        assertEquals("f", received.text());
        return received.only();
    }

    /** Passes {@code file}, which stays the caller's, from an application of that side to one of the other. */
    public Endpoint pass(final Role from, final Endpoint file) {
        final Endpoint[] ends = connect(from);
        return pass(ends[0], ends[1], file);
    }

    /** A new file with that content, open; closed after the test. */
    public Endpoint file(final byte[] content, final int flags) throws IOException {
        final Path path = Files.createTempFile(directory, "file", "");
        Files.write(path, content);
        return closing(Endpoint.open(path, flags));
    }

    /** A new FIFO, open for reading and writing; closed after the test. */
    public Endpoint fifo() throws IOException, InterruptedException {
        final Path path = Files.createTempDirectory(directory, "fifo").resolve("fifo");
        assertEquals(0, new ProcessBuilder("mkfifo", "-m", "640", path.toString()).start().waitFor());
        return closing(Endpoint.open(path, Constants.O_RDWR));
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

    /** How many descriptors are open here, in the guest and in the host. */
    public int[] descriptorCounts() {
        return new int[] {Descriptors.count(), guest.descriptorCount(), host.descriptorCount()};
    }

    /** Waits until {@link #descriptorCounts} is what it was. */
    public void awaitDescriptorCounts(final int[] expected) {
        Await.untilEqual(expected[0], Descriptors::count, "open descriptors of the test");
        guest.awaitDescriptorCount(expected[1]);
        host.awaitDescriptorCount(expected[2]);
    }

    @Override
    public void beforeAll(final ExtensionContext context) throws IOException {
        Mounts.assumeMountable();
        directory = Files.createTempDirectory("vp");
        hostServer = Endpoint.listen(ProxyPair.hostTarget(directory));
        guestServer = Endpoint.listen(ProxyPair.guestTarget(directory));
        host = ProxyProcess.start(with(arguments(Role.HOST), hostArguments(directory))).awaitReady();
        guest = ProxyProcess.start(with(arguments(Role.GUEST), guestArguments(directory))).awaitReady();
        FileCalls.load();
        countDescriptors();
    }

    /** So many as are open now must be open after each test. */
    public void countDescriptors() {
        // A JVM that has just started still has some descriptors open that it is about to close.
        Await.stable(() -> {
            descriptorsBefore = descriptorCounts();
            return Arrays.stream(descriptorsBefore).sum();
        });
    }

    @Override
    public void afterEach(final ExtensionContext context) {
        opened.forEach(Endpoint::close);
        opened.clear();
        if (context.getExecutionException().isPresent()) {
            System.out.println(guest + "\n" + host);
        }
        try {
            awaitDescriptorCounts(descriptorsBefore);
        } catch (final AssertionError e) {
            // So that this test fails, and not the next one.
            descriptorsBefore = descriptorCounts();
            throw e;
        }
    }

    @Override
    public void afterAll(final ExtensionContext context) throws IOException {
        if (directory == null) {
            return;
        }
        Endpoint.closeAll(hostServer, guestServer);
        for (final ProxyProcess proxy : List.of(guest, host)) {
            proxy.signal("TERM");
            assertEquals(0, proxy.awaitExit(), proxy::toString);
            proxy.close();
        }
        assertEquals(List.of(), Mounts.below(directory));
        delete(directory);
    }

    /** A host's command line: that of {@link ProxyPair}, with a mount. */
    public static String[] hostArguments(final Path directory) {
        return withMount(ProxyPair.hostArguments(directory), mount(directory, Role.HOST));
    }

    /** A guest's command line. */
    public static String[] guestArguments(final Path directory) {
        return withMount(ProxyPair.guestArguments(directory), mount(directory, Role.GUEST));
    }

    /** Options that leave that side's link without a way for descriptors: one beside it, to which nobody comes. */
    public static String[] withoutDescriptors(final Path directory, final Role side) {
        return new String[] {"--descriptor-socket", directory.resolve("nobody-" + side).toString()};
    }

    private String[] arguments(final Role side) {
        return carriesDescriptors ? arguments : with(withoutDescriptors(directory, side), arguments);
    }

    /** Where that side's mount goes. */
    public static Path mount(final Path directory, final Role side) {
        return directory.resolve(side == Role.HOST ? "host-files" : "guest-files");
    }

    /** Deletes a directory with all that is in it. */
    public static void delete(final Path directory) throws IOException {
        try (Stream<Path> paths = Files.walk(directory)) {
            for (final Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }

    private static String[] withMount(final String[] arguments, final Path mount) {
        return with(new String[] {"--files", mount.toString()}, arguments);
    }

    private static String[] with(final String[] more, final String[] arguments) {
        final List<String> all = new ArrayList<>(List.of(arguments));
        all.addAll(List.of(more));
        return all.toArray(new String[0]);
    }
}
