/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Heap memory that the threads of running proxies have allocated, as jcmd shows it: accurate to a KiB for each thread.
 * jcmd is run once for each proxy; after that the same question is sent directly to the JVM's socket, because jcmd
 * takes a quarter of a second to start.
 *
 * <p>Proxies compile with C1 only, which does not remove allocations as C2 does. So a measurement in the tests' own JVM
 * may show less than a proxy allocates.
 */
public final class AllocatedBytes {
    private static final Pattern THREAD = Pattern.compile("\"(vsock-proxy-[^\"]*)\".* allocated=([0-9]+)([BKMG]) .*");
    private static final String COMMAND = "Thread.print -e";
    private static final String UNITS = "BKMG";
    private static final int BITS_PER_UNIT = 10;
    private static final int ATTEMPTS = 4;
    /** Less than the smallest object, so there is none for each operation. */
    private static final double ALLOWED_PER_OPERATION = 8;

    private AllocatedBytes() {
    }

    /** A number of operations, one after the other. */
    public interface Operations {
        /** Carries them out. */
        void run(int count);
    }

    /** Has jcmd attach to the proxies once, which makes each JVM open a socket for such questions, and keep it. */
    public static void letIn(final ProxyProcess... proxies) {
        for (final ProxyProcess proxy : proxies) {
            try {
                final Process jcmd = new ProcessBuilder(
                    Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(), Long.toString(proxy.pid()),
                    COMMAND).redirectErrorStream(true).start();
                final String said = new String(jcmd.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
                assertEquals(0, jcmd.waitFor(), said);
            } catch (final IOException | InterruptedException e) {
                throw new AssertionError("jcmd of " + proxy, e);
            }
        }
    }

    /**
     * Runs {@code count} operations once without counting, then a few times. Fails unless the proxies allocate less
     * than one object per operation in at least one of those runs: what a JVM allocates once, in any of them, is not
     * per operation.
     *
     * @param count large enough for a KiB per thread of the proxies to be little per operation.
     */
    public static void assertNonePerOperation(
        final String what, final int count, final Operations operations, final ProxyProcess... proxies) {
        operations.run(count);
        double least = Double.MAX_VALUE;
        for (int i = 0; i < ATTEMPTS && least >= ALLOWED_PER_OPERATION; i++) {
            final Map<String, Long> before = byThread(proxies);
            operations.run(count);
            final Map<String, Long> after = byThread(proxies);
            final long allocated = after.entrySet().stream()
                .mapToLong(thread -> thread.getValue() - before.getOrDefault(thread.getKey(), 0L)).sum();
            least = Math.min(least, (double) allocated / count);
        }
        System.out.printf("allocated by the proxies for each %s: %.2f bytes%n", what, least);
        assertTrue(least < ALLOWED_PER_OPERATION, what + ": bytes for each: " + least);
    }

    /** The same for {@code count} calls, each of which gets its number. */
    public static void assertNonePerCall(
        final String what, final int count, final IntConsumer call, final ProxyProcess... proxies) {
        assertNonePerOperation(
            what, count,
            calls -> {
                for (int i = 0; i < calls; i++) {
                    call.accept(i);
                }
            },
            proxies);
    }

    /** A thread that has ended is in none of them. */
    private static Map<String, Long> byThread(final ProxyProcess... proxies) {
        final Map<String, Long> all = new HashMap<>();
        for (final ProxyProcess proxy : proxies) {
            int found = 0;
            for (final String line : threads(proxy)) {
                final Matcher matcher = THREAD.matcher(line);
                if (matcher.matches()) {
                    found++;
                    all.put(proxy.pid() + " " + matcher.group(1),
                        Long.parseLong(matcher.group(2)) << (BITS_PER_UNIT * UNITS.indexOf(matcher.group(3))));
                }
            }
            assertTrue(found > 0, () -> "no thread of a proxy among " + threads(proxy));
        }
        return all;
    }

    /** What jcmd and a JVM say to each other: version, command and three arguments; then a status and the answer. */
    private static List<String> threads(final ProxyProcess proxy) {
        try (Endpoint connection = Endpoint.connect(Path.of("/tmp/.java_pid" + proxy.pid()))) {
            connection.send(String.join("\0", "1", "jcmd", COMMAND, "", "", ""));
            final List<String> said = new String(connection.readToEnd(), StandardCharsets.UTF_8).lines().toList();
            assertEquals("0", said.get(0), said::toString);
            return said.subList(1, said.size());
        }
    }
}
