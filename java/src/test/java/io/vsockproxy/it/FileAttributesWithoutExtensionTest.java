/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.Role;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.FileAttributes;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.MountedPair;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What fstat shows of a file of the other side when no more than its size is known. */
@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FileAttributesWithoutExtensionTest {
    @RegisterExtension
    static final MountedPair PROXIES = new MountedPair("--extensions", "off");

    @Test
    void shouldShowTheSizeAndWhatIsGrantedAndBeginAtTheBeginning() throws IOException {
        final Endpoint file = PROXIES.file(new byte[1000], Constants.O_RDONLY);
        final Path path = Path.of("/proc/self/fd/" + file.fd()).toRealPath();
        Files.setAttribute(path, "unix:mode", 0777);
        final long longAgo = 1_000_000_000;
        Files.setLastModifiedTime(path, FileTime.from(longAgo, TimeUnit.NANOSECONDS));
        assertEquals(10, file.readFully(10).length);
        final Endpoint passed = PROXIES.pass(Role.HOST, file);
        assertEquals(0, FileCalls.seek(passed, 0, FileCalls.SEEK_CUR));
        final FileAttributes shown = FileCalls.attributes(passed);
        assertEquals(1000, shown.size());
        assertEquals(Constants.S_IFREG | 0400, shown.mode());
        assertEquals(1, shown.links());
        assertEquals(2, shown.blocks());
        assertTrue(shown.modificationTimeNs() > longAgo);
    }
}
