/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Syscalls;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The way without root, by a helper that does what fusermount3 does; and by fusermount3 itself where there is one. */
@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FusermountTest {
    private static final String HELPER = """
        #!/usr/bin/env python3
        import ctypes, os, socket, sys
        libc = ctypes.CDLL(None, use_errno=True)
        arguments = sys.argv[1:]
        directory = arguments[-1].encode()
        assert arguments[-2] == '--', arguments
        if arguments[0] == '-u':
            assert arguments[1] == '-z', arguments
            sys.exit(1 if libc.umount2(directory, 2) else 0)
        assert arguments[0] == '-o', arguments
        options = [o for o in arguments[1].split(',') if o.startswith('max_read') or o == 'allow_other']
        fd = os.open('/dev/fuse', os.O_RDWR)
        data = 'fd=%d,rootmode=40000,user_id=0,group_id=0,%s' % (fd, ','.join(options))
        if libc.mount(b'vsock-proxy', directory, b'fuse.vsock-proxy', 6, data.encode()):
            sys.exit('mount failed: ' + os.strerror(ctypes.get_errno()))
        s = socket.socket(fileno=int(os.environ['_FUSE_COMMFD']))
        socket.send_fds(s, [b'\\0'], [fd])
        """;

    @TempDir
    private Path temporary;

    private Path directory;
    private int descriptorsBefore;

    @BeforeEach
    void prepare() throws IOException {
        directory = Files.createDirectory(temporary.toRealPath().resolve("files"));
        // JNA opens descriptors of its own at the first use.
        assertEquals(Files.getAttribute(directory, "unix:uid"), LibC.INSTANCE.getuid());
        descriptorsBefore = Descriptors.count();
    }

    @AfterEach
    void compareDescriptors() throws InterruptedException {
        Descriptors.assertCount(descriptorsBefore);
    }

    @Test
    void shouldReceiveTheDeviceFromTheHelper() throws Exception {
        Fixture.assumeMountable();
        assumeTrue(isInstalled("python3", "--version"), "skipped: no python3 for the helper's stand-in");
        mountAndUnmount(script(HELPER));
    }

    @Test
    void shouldMountByTheRealHelper() throws Exception {
        Fixture.assumeMountable();
        assumeTrue(isInstalled(Fusermount.PROGRAM, "--version"), "skipped: fusermount3 is not installed");
        mountAndUnmount(Fusermount.PROGRAM);
    }

    @Test
    void shouldPassTheHelpersComplaintOn() throws Exception {
        final String helper = script("#!/bin/sh\necho 'helper: no' >&2\nexit 1\n");
        final MountException failure = assertThrows(
            MountException.class, () -> Fusermount.mount(helper, directory, "nosuid"));
        assertTrue(failure.getMessage().endsWith("failed: helper: no"), failure.getMessage());
        assertEquals("helper: no", Fusermount.unmount(helper, directory));
    }

    @Test
    void shouldFailWhenTheHelperSendsNothing() throws Exception {
        final String helper = script("#!/bin/sh\nexit 0\n");
        assertThrows(MountException.class, () -> Fusermount.mount(helper, directory, "nosuid"));
        assertEquals("", Fusermount.unmount(helper, directory));
    }

    @Test
    void shouldSayWhatIsMissing() {
        final MountException failure = assertThrows(
            MountException.class, () -> Fusermount.mount("fusermount3-not-here", directory, "nosuid"));
        assertTrue(failure.getMessage().contains("mounting takes root, or the program fusermount3-not-here"),
            failure.getMessage());
    }

    private void mountAndUnmount(final String program) throws IOException {
        try (OwnedFd device = Fusermount.mount(
            program, directory, "nosuid,nodev,noexec,fsname=vsock-proxy,subtype=vsock-proxy,max_read=1048576")) {
            assertEquals(1, Syscalls.fcntl(device.fd(), Constants.F_GETFD, 0), "close-on-exec");
            assertTrue(MountTable.find(directory).isFuse());
            assertEquals("fuse.vsock-proxy", MountTable.find(directory).type());
        }
        assertFalse(Files.isReadable(directory));
        assertEquals("", Fusermount.unmount(program, directory));
        assertNull(MountTable.find(directory));
    }

    private String script(final String text) throws IOException {
        final Path file = Files.createFile(
            temporary.resolve("helper"),
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        return Files.writeString(file, text).toString();
    }

    private static boolean isInstalled(final String program, final String argument) throws InterruptedException {
        try {
            return new ProcessBuilder(program, argument)
                .redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start().waitFor() == 0;
        } catch (final IOException e) {
            return false;
        }
    }
}
