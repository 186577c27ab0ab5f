/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Explains why a library could not be loaded, as far as that can be told from outside the dynamic linker, and what to
 * do about it.
 */
final class LoadFailures {
    private static final int ELF_MAGIC = 0x7f454c46;
    private static final int EM_X86_64 = 62;
    private static final int EM_AARCH64 = 183;

    /** Offset of e_machine in an ELF header, less the bytes of the magic before it: elf(5). */
    private static final int MACHINE_SKIP = 14;

    private LoadFailures() {
    }

    /**
     * Why {@code file} could not be loaded, or null when that cannot be told.
     *
     * @param problem what {@link System#load} threw.
     * @param file    the library, whose first bytes are read; it may be missing.
     */
    static String cause(final Throwable problem, final Path file) {
        final String message = String.valueOf(problem.getMessage());
        if (problem instanceof IllegalCallerException) {
            return "this JVM denies native access: start it with " + JvmFlags.enableNativeAccess()
                + " (or have Enable-Native-Access: ALL-UNNAMED in the manifest of an executable jar)";
        }
        if (message.contains("already loaded in another classloader")) {
            return "another class loader of this JVM has loaded this very file, and a file can have only one: remove "
                + NativeLibrary.PATH_PROPERTY + ", so that each class loader unpacks its own from the jar";
        }
        final String format = format(file, System.getProperty("os.arch"));
        if (format != null) {
            return format;
        }
        if (message.contains("failed to map segment")) {
            return "is " + file.getParent() + " mounted noexec?";
        }
        return isMusl() ? musl() : null;
    }

    /** What is wrong with the file's format for a JVM on {@code osArch}, or null when nothing is. */
    static String format(final Path file, final String osArch) {
        try (DataInputStream in = new DataInputStream(Files.newInputStream(file))) {
            if (in.readInt() != ELF_MAGIC) {
                return "it is not an ELF file";
            }
            in.skipNBytes(MACHINE_SKIP);
            final int machine = Short.toUnsignedInt(Short.reverseBytes(in.readShort()));
            final int expected = "aarch64".equals(osArch) ? EM_AARCH64 : EM_X86_64;
            return machine == expected ? null
                : "it was built for " + machineName(machine) + ", and this JVM is for " + machineName(expected)
                    + " (os.arch=" + osArch + ")";
        } catch (final IOException e) {
            return Files.exists(file) ? "it cannot be read: " + e : "there is no such file";
        }
    }

    static String musl() {
        return "this JVM runs on musl, and the jars' library is built for glibc: build it here (mvn package -DskipTests"
            + " in the sources of this version makes java/target/native/libvsockproxy.so) and set -D"
            + NativeLibrary.PATH_PROPERTY;
    }

    private static boolean isMusl() {
        try (InputStream maps = Files.newInputStream(Path.of("/proc/self/maps"))) {
            return new String(maps.readAllBytes(), StandardCharsets.ISO_8859_1).contains("/ld-musl-");
        } catch (final IOException e) {
            return false;
        }
    }

    private static String machineName(final int machine) {
        if (machine == EM_X86_64) {
            return "x86_64";
        }
        return machine == EM_AARCH64 ? "aarch64" : "ELF machine " + machine;
    }
}
