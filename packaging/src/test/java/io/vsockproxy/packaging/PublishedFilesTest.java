/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Properties;
import java.util.TreeSet;
import java.util.jar.Attributes;
import java.util.jar.JarFile;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * The contents of what is published, file by file.
 */
class PublishedFilesTest {
    private static final int ELF_MACHINE_OFFSET = 18;

    @Test
    void shouldPublishEachJarAndTheBillOfMaterials() throws IOException {
        final String metadata = Files.readString(Published.artifactDirectory().resolve("maven-metadata.xml"));
        final TreeSet<String> expected = new TreeSet<>(List.of("/pom", "cyclonedx/json", "cyclonedx/xml"));
        for (final String classifier : Published.classifiers()) {
            expected.add(classifier + "/jar");
        }
        final TreeSet<String> actual = new TreeSet<>();
        Pattern.compile("<snapshotVersion>(.*?)</snapshotVersion>", Pattern.DOTALL).matcher(metadata).results()
            .map(file -> file.group(1))
            .forEach(file -> actual.add(element(file, "classifier") + "/" + element(file, "extension")));
        assertEquals(expected, actual);
    }

    @Test
    void shouldPublishNothingButTheLibraryAndItsParent() throws IOException {
        try (Stream<Path> artifacts = Files.list(Published.REPOSITORY.resolve("io/vsockproxy"))) {
            assertEquals(
                List.of("vsock-proxy", "vsock-proxy-parent"),
                artifacts.map(path -> path.getFileName().toString()).sorted().toList());
        }
    }

    @Test
    void shouldHaveTheLicenceInEachJar() throws IOException {
        final String licence = Files.readString(Published.CHECKOUT.resolve("LICENSE"));
        for (final String classifier : Published.classifiers()) {
            try (JarFile jar = new JarFile(Published.jar(classifier).toFile())) {
                assertEquals(licence, text(jar, "META-INF/LICENSE"), classifier);
            }
        }
    }

    @Test
    void shouldNameTheModules() throws IOException {
        assertEquals("io.vsockproxy", attribute("", "Automatic-Module-Name"));
        for (final String platform : Published.platforms()) {
            assertEquals(
                "io.vsockproxy." + platform.replace('-', '.'), attribute(platform, "Automatic-Module-Name"));
        }
    }

    @Test
    void shouldDocumentThePublicApiAndNothingElse() throws IOException {
        final String root = "io.vsockproxy/io/vsockproxy/";
        try (JarFile jar = new JarFile(Published.jar("javadoc").toFile())) {
            final List<String> pages = jar.stream().map(Object::toString).filter(name -> name.startsWith(root))
                .map(name -> name.substring(root.length())).toList();
            assertTrue(pages.containsAll(List.of(
                "VsockProxy.Context.html", "channel/Channel.html", "config/SessionLimits.html", "posix/OwnedFd.html")));
            final Pattern internal = Pattern.compile(
                "(cli|session|stream|link|loop|wire|file|fuse|socket)/.*|posix/Syscalls.*|ProxyAgent.*");
            assertEquals(List.of(), pages.stream().filter(internal.asMatchPredicate()).toList());
        }
    }

    @Test
    void shouldHaveClassesOnlyInTheJarOfTheClasses() throws IOException {
        try (JarFile jar = new JarFile(Published.jar("").toFile())) {
            jar.stream().filter(entry -> !entry.isDirectory()).forEach(entry -> assertTrue(
                entry.getName().startsWith("io/vsockproxy/") || entry.getName().startsWith("META-INF/maven/")
                || List.of("META-INF/LICENSE", "META-INF/MANIFEST.MF").contains(entry.getName()), entry.getName()));
        }
    }

    @Test
    void shouldHaveTheNativeLibraryAndItsPropertiesOnlyInTheJarOfAPlatform() throws Exception {
        for (final String platform : Published.platforms()) {
            final String directory = "META-INF/native/" + platform + "/";
            try (JarFile jar = new JarFile(Published.jar(platform).toFile())) {
                assertEquals(
                    List.of(
                        "META-INF/LICENSE", "META-INF/MANIFEST.MF", directory + "libvsockproxy.properties",
                        directory + "libvsockproxy.so"),
                    jar.stream().filter(entry -> !entry.isDirectory()).map(Object::toString).sorted().toList());
                assertDescribed(jar, platform);
            }
        }
    }

    @Test
    void shouldHaveAllThatTheCommandLineNeedsInItsJar() throws Exception {
        assertEquals("io.vsockproxy.cli.Main", attribute("cli", "Main-Class"));
        assertEquals("java.base/jdk.internal.misc", attribute("cli", "Add-Exports"));
        assertEquals("ALL-UNNAMED", attribute("cli", "Enable-Native-Access"));
        try (JarFile jar = new JarFile(Published.jar("cli").toFile())) {
            for (final String platform : Published.platforms()) {
                assertDescribed(jar, platform);
            }
            assertEquals(
                List.of("com/sun/jna/linux-aarch64/libjnidispatch.so", "com/sun/jna/linux-x86-64/libjnidispatch.so"),
                jar.stream().map(Object::toString).filter(name -> name.contains("jnidispatch")).sorted().toList());
            final String notice = text(jar, "META-INF/NOTICE");
            assertFalse(notice.contains("${"), notice);
            for (final String bundled : List.of(
                "vsock-proxy " + Published.VERSION, "Agrona " + Published.property("agrona.version"),
                "picocli " + Published.property("picocli.version"),
                "Java Native Access " + Published.property("jna.version"), "libffi")) {
                assertTrue(notice.contains(bundled), bundled);
            }
            assertTrue(text(jar, "META-INF/licences/libffi").contains("THE SOFTWARE IS PROVIDED ``AS IS''"));
            // Every bundled library must be named in the notice.
            assertEquals(
                List.of("META-INF", "com/sun/jna", "io/vsockproxy", "org/agrona", "picocli"),
                jar.stream().filter(entry -> !entry.isDirectory())
                    .map(Object::toString)
                    .map(name -> name.replaceFirst("^(META-INF|picocli|com/sun/jna|[a-z]+/[a-z]+)/.*", "$1"))
                    .distinct().sorted().toList());
        }
    }

    @Test
    void shouldListWhatALinkedInLibraryBringsInTheBillOfMaterials() throws IOException {
        final Path bill = Published.CHECKOUT.resolve(
            "java/target/vsock-proxy-" + Published.VERSION + "-cyclonedx.json");
        final String text = Files.readString(bill);
        assertTrue(text.contains("\"bomFormat\" : \"CycloneDX\""), "bomFormat");
        for (final String purl : List.of(
            "pkg:maven/org.agrona/agrona@" + Published.property("agrona.version"),
            "pkg:maven/net.java.dev.jna/jna@" + Published.property("jna.version"),
            "pkg:maven/info.picocli/picocli@" + Published.property("picocli.version"))) {
            assertTrue(text.contains(purl), purl);
        }
        assertFalse(text.contains("junit"), "a library of the tests");
    }

    /** The library of a platform in a jar: that of its properties, and for its machine. */
    private static void assertDescribed(final JarFile jar, final String platform) throws Exception {
        final String directory = "META-INF/native/" + platform + "/";
        final Properties properties = new Properties();
        properties.load(new StringReader(text(jar, directory + "libvsockproxy.properties")));
        final byte[] library = bytes(jar, directory + "libvsockproxy.so");
        assertEquals(Published.VERSION, properties.getProperty("version"));
        assertEquals(platform, properties.getProperty("platform"));
        assertEquals(
            HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(library)),
            properties.getProperty("sha256"));
        assertEquals(platform.equals("linux-x86_64") ? 62 : 183, Byte.toUnsignedInt(library[ELF_MACHINE_OFFSET]));
    }

    private static String attribute(final String classifier, final String name) throws IOException {
        try (JarFile jar = new JarFile(Published.jar(classifier).toFile())) {
            final Attributes attributes = jar.getManifest().getMainAttributes();
            return attributes.getValue(name);
        }
    }

    private static String text(final JarFile jar, final String name) throws IOException {
        return new String(bytes(jar, name), StandardCharsets.UTF_8);
    }

    private static byte[] bytes(final JarFile jar, final String name) throws IOException {
        assertTrue(jar.getEntry(name) != null, () -> name + " is not in " + jar.getName());
        return jar.getInputStream(jar.getEntry(name)).readAllBytes();
    }

    private static String element(final String xml, final String name) {
        return xml.contains("<" + name + ">")
            ? xml.replaceFirst("(?s).*<" + name + ">(.*)</" + name + ">.*", "$1") : "";
    }
}
