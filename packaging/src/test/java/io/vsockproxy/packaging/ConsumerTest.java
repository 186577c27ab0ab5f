/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A component that uses the library as its users would: with a pom, on each JDK, on the class path and on the module
 * path; and the error messages when something is missing.
 */
class ConsumerTest {
    private static final long MOUNT_TIMEOUT_S = 10;
    private static final String CONSUMER = "consumer.Consumer";
    private static final String ARRIVED = "arrived: through two proxies";
    private static final String ANSWERED = "answered: through two proxies";
    private static final String DENY = "--illegal-native-access=deny";

    private static final String CLASS_PATH_EXPORTS = "--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED";
    private static final String CLASS_PATH_NATIVE = "--enable-native-access=ALL-UNNAMED";
    private static final String MODULE_PATH_EXPORTS = "--add-exports=java.base/jdk.internal.misc=org.agrona";
    private static final String MODULE_PATH_NATIVE = "--enable-native-access=io.vsockproxy,com.sun.jna";

    @TempDir
    private static Path projectDirectory;
    private static ConsumerProject project;

    @TempDir
    private Path directory;

    @BeforeAll
    static void build() throws Exception {
        project = ConsumerProject.build(projectDirectory);
    }

    static List<Jdk> jdks() throws Exception {
        return Jdk.supported();
    }

    @Test
    void shouldBringInWhatTheLibraryNeedsAndNoMore() throws Exception {
        assertEquals(
            List.of(
                "agrona-" + Published.property("agrona.version") + ".jar",
                "jna-" + Published.property("jna.version") + ".jar",
                "vsock-proxy-" + Published.VERSION + "-" + Published.CLASSIFIER + ".jar",
                "vsock-proxy-" + Published.VERSION + ".jar"),
            project.jars());
    }

    @ParameterizedTest
    @MethodSource("jdks")
    void shouldRunOnTheClassPath(final Jdk jdk) throws Exception {
        onClassPath(jdk, CLASS_PATH_EXPORTS, CLASS_PATH_NATIVE)
            .succeeded().says(ARRIVED).says(ANSWERED).doesNotSay("WARNING");
    }

    @ParameterizedTest
    @MethodSource("jdks")
    void shouldRunOnTheModulePath(final Jdk jdk) throws Exception {
        onModulePath(jdk, MODULE_PATH_EXPORTS, MODULE_PATH_NATIVE)
            .succeeded().says(ARRIVED).says(ANSWERED).doesNotSay("WARNING");
    }

    @ParameterizedTest
    @MethodSource("jdks")
    void shouldRunSeveralProxiesInTwoClassLoadersAtOnce(final Jdk jdk) throws Exception {
        final Outcome outcome = project.runOnClassPath(
            jdk, options(jdk, CLASS_PATH_EXPORTS, CLASS_PATH_NATIVE), jar -> true, "consumer.TwoClassLoaders");
        outcome.succeeded();
        assertEquals(4, outcome.output().lines().filter(ARRIVED::equals).count(), outcome::output);
        assertEquals(4, outcome.output().lines().filter(ANSWERED::equals).count(), outcome::output);
        assertNothingLeft();
    }

    @Test
    @Timeout(value = 60, unit = TimeUnit.SECONDS)
    void shouldRunWhatTheReadmeShows() throws Exception {
        final Jdk jdk = Jdk.supported().get(0);
        final String link = "unix:" + directory.resolve("link");
        final String here = directory.resolve("here").toString();
        final String service = directory.resolve("service").toString();
        final Process host = new ProcessBuilder(
            jdk.java(), "-jar", Published.jar("cli").toString(), "host", "--listen", link, "--allow-connect", service)
            .redirectError(ProcessBuilder.Redirect.DISCARD).start();
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(service));
            assertTrue(host.inputReader().readLine().startsWith("ready: "), "the host is not ready");
            final List<String> command = project.command(
                jdk, options(jdk, CLASS_PATH_EXPORTS, CLASS_PATH_NATIVE), "consumer.Hello");
            command.addAll(List.of(link, here, service));
            final Process guest = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
            try (SocketChannel served = server.accept()) {
                final BufferedReader reader = new BufferedReader(Channels.newReader(served, StandardCharsets.US_ASCII));
                assertEquals("hello", reader.readLine());
                served.write(ByteBuffer.wrap("to you too\n".getBytes(StandardCharsets.US_ASCII)));
                served.shutdownOutput();
                assertEquals("to you too", guest.inputReader().readLine());
            } finally {
                guest.destroyForcibly().waitFor();
            }
        } finally {
            host.destroyForcibly().waitFor();
        }
    }

    @Test
    void shouldNameTheMissingExport() throws Exception {
        for (final Jdk jdk : jdks()) {
            onClassPath(jdk, CLASS_PATH_NATIVE).failed()
                .says("start the JVM with --add-exports java.base/jdk.internal.misc=ALL-UNNAMED ");
            onModulePath(jdk, MODULE_PATH_NATIVE).failed()
                .says("start the JVM with --add-exports java.base/jdk.internal.misc=org.agrona ");
        }
    }

    @Test
    void shouldNameTheMissingLeaveForNativeAccess() throws Exception {
        final Jdk jdk = Jdk.thatDenies();
        onClassPath(jdk, CLASS_PATH_EXPORTS).failed().says("start it with --enable-native-access=ALL-UNNAMED ");
        onModulePath(jdk, MODULE_PATH_EXPORTS).failed()
            .says("start it with --enable-native-access=io.vsockproxy,com.sun.jna ");
        assertNothingLeft();
    }

    @ParameterizedTest
    @MethodSource("jdks")
    void shouldNameTheMissingJarOfThePlatform(final Jdk jdk) throws Exception {
        final List<String> options = options(jdk, CLASS_PATH_EXPORTS, CLASS_PATH_NATIVE);
        project.runOnClassPath(jdk, options, jar -> !jar.contains(Published.CLASSIFIER), CONSUMER)
            .failed().says("add io.vsockproxy:vsock-proxy with classifier " + Published.CLASSIFIER);
    }

    @Test
    void shouldNameTheMountWhereNothingMayBeExecuted() throws Exception {
        final Path mount = Files.createDirectory(directory.resolve("noexec"));
        final Outcome mounted = Outcome.of(directory, MOUNT_TIMEOUT_S, List.of(
            "mount", "-t", "tmpfs", "-o", "noexec,size=4m", "vsock-proxy-test", mount.toString()));
        assumeTrue(mounted.exitCode() == 0, () -> "mounting a tmpfs takes root: " + mounted.output());
        try {
            final String unpackThere = "-Djava.io.tmpdir=" + mount;
            for (final Jdk jdk : jdks()) {
                onClassPath(jdk, CLASS_PATH_EXPORTS, CLASS_PATH_NATIVE, unpackThere).failed()
                    .says("mounted noexec?").says("set -Dvsockproxy.native.tmpdir to a directory that");
                onClassPath(
                    jdk, CLASS_PATH_EXPORTS, CLASS_PATH_NATIVE, unpackThere, "-Dvsockproxy.native.tmpdir=" + directory)
                    .succeeded().says(ARRIVED);
            }
            try (Stream<Path> left = Files.list(mount)) {
                assertEquals(List.of(), left.filter(path -> path.toString().contains("vsockproxy")).toList());
            }
        } finally {
            Outcome.of(directory, MOUNT_TIMEOUT_S, List.of("umount", mount.toString())).succeeded();
        }
        assertNothingLeft();
    }

    private Outcome onClassPath(final Jdk jdk, final String... options) throws Exception {
        return project.runOnClassPath(jdk, options(jdk, options), jar -> true, CONSUMER);
    }

    private Outcome onModulePath(final Jdk jdk, final String... options) throws Exception {
        return project.runOnModulePath(jdk, options(jdk, options), CONSUMER);
    }

    /** What is given, after what makes the JVM as strict as can be; the library is unpacked where nothing else is. */
    private List<String> options(final Jdk jdk, final String... given) {
        final List<String> options = new ArrayList<>(List.of("-Djava.io.tmpdir=" + directory, "-XX:-UsePerfData"));
        if (jdk.restrictsNativeAccess()) {
            options.add(DENY);
        }
        options.addAll(List.of(given));
        return options;
    }

    private void assertNothingLeft() throws Exception {
        try (Stream<Path> left = Files.list(directory)) {
            assertEquals(List.of(), left.filter(path -> !path.endsWith("noexec")).toList());
        }
    }
}
