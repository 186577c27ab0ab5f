/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.Role;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.FileAttributes;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.MountedPair;
import io.vsockproxy.testing.Pattern;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What fstat shows of a file of the other side, between two proxies of our kind. */
@Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FileAttributesTest {
    @RegisterExtension
    static final MountedPair PROXIES = new MountedPair();

    @ParameterizedTest
    @EnumSource
    void shouldShowModeLinksBlocksAndTimesOfTheOwnersFile(final Role from) throws IOException {
        final Path path = Files.write(PROXIES.directory().resolve("file-" + from), Pattern.bytes(1, 12_345));
        Files.createLink(PROXIES.directory().resolve("link-" + from), path);
        Files.setAttribute(path, "unix:mode", 0640);
        try (Endpoint file = Endpoint.open(path, Constants.O_RDWR)) {
            final Endpoint received = PROXIES.pass(from, file);
            expectSame(file, received);
            assertEquals(Constants.S_IFREG | 0640, FileCalls.attributes(received).mode());
            assertEquals(2, FileCalls.attributes(received).links());
            // The kernel asks for them each time.
            Files.setAttribute(path, "unix:mode", 0604);
            Files.setLastModifiedTime(path, FileTime.from(Instant.ofEpochSecond(1_234_567_890, 123_456_789)));
            Files.delete(PROXIES.directory().resolve("link-" + from));
            expectSame(file, received);
            assertEquals(1_234_567_890_123_456_789L, FileCalls.attributes(received).modificationTimeNs());
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -2_000_000_000, 4_102_444_800_000_000_007L})
    void shouldShowTimesLongPastAndFarAhead(final long timeNs) throws IOException {
        final Endpoint file = PROXIES.file(new byte[1], Constants.O_RDONLY);
        Files.setLastModifiedTime(
            Path.of("/proc/self/fd/" + file.fd()).toRealPath(), FileTime.from(timeNs, TimeUnit.NANOSECONDS));
        final Endpoint received = PROXIES.pass(Role.HOST, file);
        assertEquals(timeNs, FileCalls.attributes(received).modificationTimeNs());
        expectSame(file, received);
    }

    @Test
    void shouldShowWhatAWriteAndATruncationThroughTheMountHaveChanged() throws IOException {
        final Endpoint file = PROXIES.file(new byte[100], Constants.O_RDWR);
        final Endpoint received = PROXIES.pass(Role.GUEST, file);
        final long before = FileCalls.attributes(received).modificationTimeNs();
        assertEquals(3, FileCalls.write(received, 50, new byte[3]));
        expectSame(file, received);
        assertEquals(0, FileCalls.truncate(received, 1_000_000));
        expectSame(file, received);
        assertNotEquals(before, FileCalls.attributes(received).modificationTimeNs());
    }

    @Test
    void shouldShowAFileWithoutANameAndOpenItAgain() throws IOException {
        final byte[] content = Pattern.bytes(2, 5_000);
        try (Endpoint file = FileCalls.memfd(content)) {
            final Endpoint received = PROXIES.pass(Role.GUEST, file);
            assertEquals(0, FileCalls.attributes(received).links());
            expectSame(file, received);
            final Endpoint again = PROXIES.closing(
                Endpoint.of(FileCalls.reopen(received, Constants.O_RDONLY), "open again"));
            expectSame(file, again);
            assertEquals(5_000, FileCalls.read(again, 0, 6_000).length);
        }
    }

    /** The kernel takes such bits away when somebody without privileges writes: the owner's kernel, not this one. */
    @Test
    void shouldWriteToAndTruncateAFileWithASetUserIdBit() throws IOException {
        final Endpoint file = PROXIES.file(new byte[100], Constants.O_RDWR);
        Files.setAttribute(Path.of("/proc/self/fd/" + file.fd()).toRealPath(), "unix:mode", 06755);
        final Endpoint received = PROXIES.pass(Role.HOST, file);
        assertEquals(Constants.S_IFREG | 06755, FileCalls.attributes(received).mode());
        assertEquals(3, FileCalls.write(received, 0, new byte[3]));
        assertEquals(0, FileCalls.truncate(received, 50));
        expectSame(file, received);
    }

    @Test
    void shouldShowThemOfAFileThatCameBack() throws IOException {
        final Endpoint file = PROXIES.file(new byte[10], Constants.O_RDWR);
        final Endpoint[] ends = PROXIES.connect(Role.GUEST);
        final Endpoint there = PROXIES.pass(ends[0], ends[1], file);
        final Endpoint back = PROXIES.pass(ends[1], ends[0], there);
        expectSame(file, back);
    }

    static void expectSame(final Endpoint file, final Endpoint received) {
        final FileAttributes expected = FileCalls.attributes(file);
        final FileAttributes shown = FileCalls.attributes(received);
        assertTrue(shown.isComplete());
        assertEquals(describe(expected), describe(shown));
    }

    private static String describe(final FileAttributes attributes) {
        return "size=" + attributes.size() + ", mode=" + Integer.toOctalString(attributes.mode())
            + ", links=" + attributes.links() + ", blocks=" + attributes.blocks()
            + ", atime=" + attributes.accessTimeNs() + ", mtime=" + attributes.modificationTimeNs()
            + ", ctime=" + attributes.changeTimeNs();
    }
}
