/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;

/**
 * Finds the C shim, loads it and checks that its version is the right one.
 *
 * <p>When the system property {@value #PATH_PROPERTY} is set, the library is loaded from there, and nowhere else.
 * Otherwise it comes from this platform's jar ({@link NativeResource}) on the class path or module path: it is unpacked
 * to a file that only this user can access, and that is deleted as soon as it is loaded. Each class loader loads its
 * own copy.
 */
final class NativeLibrary {
    /** The shared library's absolute path. */
    static final String PATH_PROPERTY = "vsockproxy.native.path";

    /** Where the library from the class path is unpacked; {@code java.io.tmpdir} when not set. */
    static final String TMPDIR_PROPERTY = "vsockproxy.native.tmpdir";

    /** The version of the shim that {@link Syscalls} needs: raised whenever a signature or its meaning changes. */
    static final int ABI_VERSION = 3;

    /** The jar's name in a pom. */
    static final String ARTIFACT = "io.vsockproxy:vsock-proxy";
    private static final String TMPDIR_REMEDY = "; set -D" + TMPDIR_PROPERTY + " to a directory that exists, may be "
        + "written to and is not mounted noexec, or -D" + PATH_PROPERTY + " to the unpacked library";

    private NativeLibrary() {
    }

    /**
     * Loads the library. Only called by the static initialiser of {@link Syscalls}, whose class initialisation lock
     * ensures that it happens once in each class loader. A lock of our own could deadlock: the library's JNI_OnLoad
     * initialises {@link Syscalls} too, so the two locks would be taken in either order.
     *
     * @throws UnsatisfiedLinkError when it cannot be loaded; the message names what was tried, and the remedy.
     * @throws IllegalAccessError   when Agrona's buffers lack an export; the message names the JVM's flag for it.
     */
    static void load() {
        JvmFlags.requireExports();
        final String path = System.getProperty(PATH_PROPERTY);
        final String version;
        if (path != null && !path.isEmpty()) {
            loadFrom(path);
            version = null;
        } else {
            final String classifier = classifier(System.getProperty("os.name"), System.getProperty("os.arch"));
            version = loadFromJar(
                classifier, System.getProperty(TMPDIR_PROPERTY, System.getProperty("java.io.tmpdir")));
        }
        checkLayout(Syscalls.constant("abi.version"), Syscalls.constant("sizeof.iovec"), version);
    }

    private static void loadFrom(final String path) {
        try {
            System.load(path);
        } catch (final LinkageError | IllegalCallerException e) {
            throw failure(
                "cannot load the native library: " + PATH_PROPERTY + "=" + path + ": " + e.getMessage()
                + because(e, Path.of(path)) + "; correct the property, or remove it to use the library in "
                + ARTIFACT, e);
        }
    }

    /** Returns the version of the jar it came from, for messages; may be null. */
    private static String loadFromJar(final String classifier, final String parent) {
        final NativeResource resource;
        try {
            resource = NativeResource.find(classifier);
        } catch (final IOException e) {
            throw failure("cannot read " + NativeResource.name(classifier) + ": " + e + "; download "
                + artifact(classifier) + " again", e);
        }
        if (resource == null) {
            throw failure(
                "no native library for " + classifier + ": tried " + NativeResource.name(classifier) + " on the "
                + (NativeLibrary.class.getModule().isNamed() ? "module" : "class") + " path; add "
                + artifact(classifier) + " and of this version, or set -D" + PATH_PROPERTY, null);
        }
        try {
            unpackAndLoad(resource, parent);
        } catch (final IOException | InvalidPathException e) {
            throw failure("cannot unpack " + resource.name() + " below " + parent + ": " + e + TMPDIR_REMEDY, e);
        }
        return resource.version();
    }

    private static void unpackAndLoad(final NativeResource resource, final String parent) throws IOException {
        final Path directory = Files.createTempDirectory(
            Path.of(parent).toAbsolutePath(), "vsockproxy-",
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        final Path file = directory.resolve(NativeResource.FILE_NAME);
        try {
            Files.write(file, resource.bytes(), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
            System.load(file.toString());
        } catch (final LinkageError | IllegalCallerException e) {
            throw failure(
                "cannot load the native library from " + file + ": " + e.getMessage() + because(e, file)
                + (e instanceof IllegalCallerException ? "" : TMPDIR_REMEDY), e);
        } finally {
            // The mapping outlives the file, and nothing is left behind however this process ends.
            delete(file);
            delete(directory);
        }
    }

    private static String because(final Throwable problem, final Path file) {
        final String cause = LoadFailures.cause(problem, file);
        return cause == null ? "" : "; " + cause;
    }

    /** The jar with a platform's library, as a pom would name it. */
    static String artifact(final String classifier) {
        return ARTIFACT + " with classifier " + classifier;
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

    /**
     * Compares what the library reports about itself with what the Java side was written for.
     *
     * @param libraryVersion the version of the jar it came from; null when it came from none.
     */
    static void checkLayout(final long abiVersion, final long sizeOfIoVec, final String libraryVersion) {
        if (abiVersion != ABI_VERSION) {
            throw failure(
                "the native library has a different version: library's abi=" + abiVersion + ", this jar's abi="
                + ABI_VERSION + (libraryVersion == null ? "" : " (library's version=" + libraryVersion + ")")
                + "; use the library that came with this version of " + ARTIFACT, null);
        }
        if (sizeOfIoVec != IoVec.LENGTH) {
            throw failure(
                "the native library has a different layout of struct iovec: library's size=" + sizeOfIoVec
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
