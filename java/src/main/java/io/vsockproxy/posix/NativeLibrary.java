/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import java.io.IOException;
import java.io.InputStream;
import java.lang.invoke.MethodHandles;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/**
 * Finds the C shim, loads it and checks that it is of this version.
 *
 * <p>It is looked for where the system property {@value #PATH_PROPERTY} says, and nowhere else when that is set; else
 * it is taken from the class path, from the jar for this platform, by way of a file that only its owner can read and
 * that is gone again once it is loaded.
 */
final class NativeLibrary {
    /** The shared library's absolute path. */
    static final String PATH_PROPERTY = "vsockproxy.native.path";

    /** Where the library from the class path is unpacked; {@code java.io.tmpdir} when not set. */
    static final String TMPDIR_PROPERTY = "vsockproxy.native.tmpdir";

    /** What {@link Syscalls} expects of the shim: raised whenever a signature or its meaning changes. */
    static final int ABI_VERSION = 1;

    private static final String FILE_NAME = "libvsockproxy.so";
    private static final String ARTIFACT = "io.vsockproxy:vsock-proxy";
    private static final String TMPDIR_REMEDY = "; set -D" + TMPDIR_PROPERTY + " to a directory that exists, may be "
        + "written to and is not mounted noexec, or -D" + PATH_PROPERTY + " to the unpacked library";

    /** Written and read under the lock of {@link Syscalls}' initialisation. */
    private static boolean isLoaded;

    private NativeLibrary() {
    }

    /**
     * Loads the library unless that has been done.
     *
     * <p>The one lock is that of {@link Syscalls}' initialisation, which calls this in turn: the library's JNI_OnLoad
     * initialises that class too, so that a lock of our own would be taken in either order.
     *
     * @throws UnsatisfiedLinkError naming what was tried and the remedy.
     */
    static void ensureLoaded() {
        try {
            MethodHandles.lookup().ensureInitialized(Syscalls.class);
        } catch (final IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
        if (!isLoaded) {
            isLoaded = true;
            load();
            checkLayout(Syscalls.constant("abi.version"), Syscalls.constant("sizeof.iovec"));
        }
    }

    private static void load() {
        final String path = System.getProperty(PATH_PROPERTY);
        if (path != null && !path.isEmpty()) {
            loadFrom(path);
        } else {
            final String classifier = classifier(System.getProperty("os.name"), System.getProperty("os.arch"));
            final String directory = System.getProperty(TMPDIR_PROPERTY, System.getProperty("java.io.tmpdir"));
            loadFromClassPath(classifier, directory);
        }
    }

    private static void loadFrom(final String path) {
        try {
            System.load(path);
        } catch (final LinkageError e) {
            throw failure(
                "cannot load the native library: " + PATH_PROPERTY + "=" + path + ": " + e.getMessage()
                + "; correct the property, or remove it to use the library in " + ARTIFACT, e);
        }
    }

    private static void loadFromClassPath(final String classifier, final String parent) {
        final String resource = "/META-INF/native/" + classifier + "/" + FILE_NAME;
        try (InputStream in = NativeLibrary.class.getResourceAsStream(resource)) {
            if (in == null) {
                throw failure(
                    "no native library for " + classifier + ": tried " + resource + " on the class path; add "
                    + ARTIFACT + " with classifier " + classifier + " and this version, or set -D" + PATH_PROPERTY,
                    null);
            }
            unpackAndLoad(in, parent);
        } catch (final IOException | InvalidPathException e) {
            throw failure("cannot unpack " + resource + " below " + parent + ": " + e + TMPDIR_REMEDY, e);
        }
    }

    private static void unpackAndLoad(final InputStream in, final String parent) throws IOException {
        final Path directory = Files.createTempDirectory(
            Path.of(parent).toAbsolutePath(), "vsockproxy-",
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        final Path file = directory.resolve(FILE_NAME);
        try {
            Files.copy(in, file);
            System.load(file.toString());
        } catch (final LinkageError e) {
            throw failure("cannot load the native library from " + file + ": " + e.getMessage() + TMPDIR_REMEDY, e);
        } finally {
            // What is mapped stays mapped, so nothing is left behind however this process ends.
            delete(file);
            delete(directory);
        }
    }

    /** The jar's classifier for a platform, as Maven's os plugin spells it. */
    static String classifier(final String osName, final String osArch) {
        final boolean isLinux = "Linux".equals(osName);
        if (isLinux && ("amd64".equals(osArch) || "x86_64".equals(osArch))) {
            return "linux-x86_64";
        }
        if (isLinux && "aarch64".equals(osArch)) {
            return "linux-aarch_64";
        }
        throw failure(
            "no native library for os.name=" + osName + ", os.arch=" + osArch
            + ": there is one for Linux on amd64 and aarch64; build it and set -D" + PATH_PROPERTY, null);
    }

    /** Compares the library's own account of itself with what the Java side was written for. */
    static void checkLayout(final long abiVersion, final long sizeOfIoVec) {
        if (abiVersion != ABI_VERSION) {
            throw failure(
                "the native library is of another version: library's abi=" + abiVersion + ", this jar's abi="
                + ABI_VERSION + "; use the library that came with this version of " + ARTIFACT, null);
        }
        if (sizeOfIoVec != IoVec.LENGTH) {
            throw failure(
                "the native library lays out struct iovec otherwise: library's size=" + sizeOfIoVec
                + ", this jar's size=" + IoVec.LENGTH + "; use a library built for a 64-bit platform", null);
        }
    }

    private static UnsatisfiedLinkError failure(final String message, final Throwable cause) {
        final UnsatisfiedLinkError error = new UnsatisfiedLinkError(message);
        error.initCause(cause);
        return error;
    }

    private static void delete(final Path path) {
        try {
            Files.deleteIfExists(path);
        } catch (final IOException e) {
            path.toFile().deleteOnExit();
        }
    }
}
