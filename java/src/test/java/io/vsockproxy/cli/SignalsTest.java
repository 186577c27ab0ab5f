/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Background;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * SIGHUPs, sent to this process.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class SignalsTest {
    private static final int SIGHUP = 1;
    private static final long OVERTAKING_MS = 500;

    /** Else the one that came first could be the last to say which guests are served: those of before. */
    @Test
    void shouldReadTheConfigurationForOneSignalAfterTheOther() throws Exception {
        assumeFalse(isIgnored(SIGHUP), "SIGHUP is ignored here, as below nohup, and a JVM leaves it at that");
        final CountDownLatch secondHasBegun = new CountDownLatch(2);
        final AtomicInteger begun = new AtomicInteger();
        final AtomicInteger done = new AtomicInteger();
        final boolean[] overtaken = new boolean[1];
        Signals.handle("HUP", () -> {
            secondHasBegun.countDown();
            if (begun.incrementAndGet() == 1) {
                overtaken[0] = isReached(secondHasBegun);
            }
            done.incrementAndGet();
        });
        hangUp();
        Await.until(() -> begun.get() == 1, () -> "a signal, begun=" + begun);
        hangUp();
        Await.until(() -> done.get() == 2, () -> "two signals, done=" + done);
        assertFalse(overtaken[0]);
    }

    private static boolean isReached(final CountDownLatch latch) {
        return Background.join(Background.start(() -> latch.await(OVERTAKING_MS, TimeUnit.MILLISECONDS)));
    }

    private static boolean isIgnored(final int signal) throws IOException {
        final String mask = Files.readAllLines(Path.of("/proc/self/status")).stream()
            .filter(line -> line.startsWith("SigIgn:")).findFirst().orElseThrow();
        return (Long.parseUnsignedLong(mask.substring("SigIgn:".length()).strip(), 16) & 1L << (signal - 1)) != 0;
    }

    private static void hangUp() throws Exception {
        final long pid = ProcessHandle.current().pid();
        assertEquals(0, new ProcessBuilder("kill", "-" + SIGHUP, String.valueOf(pid)).inheritIO().start().waitFor());
    }
}
