/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import java.io.IOException;
import java.io.InputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Properties;

/**
 * The shim in the jar of one platform: {@code META-INF/native/<classifier>/libvsockproxy.so}, and beside it {@code
 * libvsockproxy.properties} with its {@code version} and {@code sha256}.
 */
final class NativeResource {
    static final String FILE_NAME = "libvsockproxy.so";

    private static final String PROPERTIES_NAME = "libvsockproxy.properties";

    private final String name;
    private final byte[] bytes;
    private final String version;

    private NativeResource(final String name, final byte[] bytes, final String version) {
        this.name = name;
        this.bytes = bytes;
        this.version = version;
    }

    /**
     * Looks for the library where this class was loaded from.
     *
     * <p>Uses the class loader rather than the class: on the module path, the platform's jar is a module of its own.
     *
     * @param classifier such as {@code linux-x86_64}.
     * @return the library, or null when there is none.
     * @throws IOException         when a jar cannot be read.
     * @throws UnsatisfiedLinkError when the jar lacks the properties, or its library is not the one they describe.
     */
    static NativeResource find(final String classifier) throws IOException {
        final String library = name(classifier);
        final byte[] bytes = read(library);
        if (bytes == null) {
            return null;
        }
        final String propertiesName = directory(classifier) + PROPERTIES_NAME;
        final Properties properties = new Properties();
        try (InputStream in = loader().getResourceAsStream(propertiesName)) {
            if (in == null) {
                throw new UnsatisfiedLinkError(library + " is there, but " + propertiesName + " is not"
                    + "; use " + NativeLibrary.artifact(classifier) + " as it was published");
            }
            properties.load(in);
        }
        final NativeResource resource = new NativeResource(library, bytes, properties.getProperty("version"));
        resource.verify(properties.getProperty("sha256"), classifier);
        return resource;
    }

    /** The resource's name, without a slash in front. */
    static String name(final String classifier) {
        return directory(classifier) + FILE_NAME;
    }

    String name() {
        return name;
    }

    /** The shared library; not to be changed. */
    byte[] bytes() {
        return bytes;
    }

    /** The jar's version, for messages; may be null. */
    String version() {
        return version;
    }

    private void verify(final String expected, final String classifier) {
        final String actual;
        try {
            actual = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (final NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
        if (!actual.equals(expected)) {
            throw new UnsatisfiedLinkError(name + " is not what its properties describe: expected sha256=" + expected
                + ", actual=" + actual + ", size=" + bytes.length + "; download " + NativeLibrary.artifact(classifier)
                + " again");
        }
    }

    private static byte[] read(final String resource) throws IOException {
        try (InputStream in = loader().getResourceAsStream(resource)) {
            return in == null ? null : in.readAllBytes();
        }
    }

    private static ClassLoader loader() {
        return NativeResource.class.getClassLoader();
    }

    private static String directory(final String classifier) {
        return "META-INF/native/" + classifier + "/";
    }
}
