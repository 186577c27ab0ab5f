/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.testing.InVirtualMachine;
import io.vsockproxy.testing.ProxyProcess;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The output of {@code vsock-proxy info}. Except in a virtual machine of the tests, only for devices that are not
 * AF_VSOCK's.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class InfoCommandTest {
    @TempDir
    Path directory;

    @Test
    void shouldSayThatThereIsNoCidWithoutTheDevice() {
        final Path nowhere = directory.resolve("vsock");
        expectLine("local CID +none: " + nowhere + ": ENOENT", "info", "--device", nowhere.toString());
    }

    @Test
    void shouldSayThatThereIsNoCidWhenTheDeviceIsAnother() {
        expectLine("local CID +none: /dev/null: ENOTTY", "info", "--device", "/dev/null");
    }

    @Test
    void shouldShowVersionsAndLimits() {
        expectLine("version +vsock-proxy \\d+\\.\\d+\\.\\d+.*", "info", "--device", "/dev/null");
        expectLine("kernel +Linux \\d+\\..*", "info", "--device", "/dev/null");
        expectLine("longest frame +16777216 bytes", "info", "--device", "/dev/null");
        expectLine("open descriptors +(\\d+|unlimited) at most .*", "info", "--device", "/dev/null");
    }

    /** The kernel there has the loopback alone, which early kernels do not count. */
    @Test
    @InVirtualMachine
    void shouldAskTheDeviceForTheCid() {
        expectLine("local CID +(1|none: no transport to a host or to guests is loaded)", "info");
    }

    private static void expectLine(final String pattern, final String... arguments) {
        try (ProxyProcess process = ProxyProcess.start(arguments)) {
            assertEquals(0, process.awaitExit(), process::toString);
            assertTrue(process.output().stream().anyMatch(line -> line.matches(pattern)), process::toString);
            assertTrue(process.errors().isEmpty(), process::toString);
        }
    }
}
