/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.testing.CompiledClasses;
import java.io.IOException;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.Member;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * The public API consists of the files for which java/pom.xml generates javadoc. Its users need no other classes; the
 * command line is one of these users.
 */
class PublicApiTest {
    private static final Path SOURCES = Path.of("src", "main", "java");
    private static final String COMMAND_LINE = "io.vsockproxy.cli";
    private static final Pattern DOCUMENTED = Pattern.compile("<sourceFileInclude>([^<]*)</sourceFileInclude>");
    /** A class of ours, with the package in front: imported, named in the code, or in a comment. */
    private static final Pattern NAMED = Pattern.compile("\\bio\\.vsockproxy(\\.[a-z][a-z0-9]*)*\\.([A-Z*]\\w*)");

    @Test
    void shouldBeAllThatTheCommandLineUses() throws IOException {
        final List<PathMatcher> api = api();
        final TreeSet<String> used = new TreeSet<>();
        try (Stream<Path> files = Files.walk(SOURCES.resolve(COMMAND_LINE.replace('.', '/')))) {
            for (final Path file : files.filter(Files::isRegularFile).toList()) {
                NAMED.matcher(Files.readString(file)).results().map(MatchResult::group).forEach(used::add);
            }
        }
        assertTrue(used.contains(VsockProxy.class.getName()), used::toString);
        used.removeIf(name -> name.startsWith(COMMAND_LINE) || isIn(api, name));
        assertEquals(List.of(), List.copyOf(used), "used by the command line, and not public API");
    }

    @Test
    void shouldBeAllThatItsOwnSignaturesMention() throws Exception {
        final List<PathMatcher> api = api();
        final List<Class<?>> classes = CompiledClasses.all().stream()
            .filter(type -> isVisible(type) && isIn(api, type.getName())).toList();
        assertTrue(classes.contains(VsockProxy.Context.class), classes::toString);
        final List<String> strangers = new ArrayList<>();
        for (final Class<?> type : classes) {
            for (final Type mentioned : mentioned(type)) {
                for (final Class<?> plain : plain(mentioned)) {
                    final String name = plain.getName();
                    if (name.startsWith("io.vsockproxy.") && !(isVisible(plain) && isIn(api, name))) {
                        strangers.add(name + " in " + type.getName());
                    }
                }
            }
        }
        assertEquals(List.of(), strangers, "in signatures of the public API, and not part of it");
    }

    /** What javadoc is given. */
    private static List<PathMatcher> api() throws IOException {
        final List<PathMatcher> api = DOCUMENTED.matcher(Files.readString(Path.of("pom.xml"))).results()
            .map(file -> FileSystems.getDefault().getPathMatcher("glob:" + file.group(1))).toList();
        assertTrue(!api.isEmpty(), "the pom gives javadoc no files");
        return api;
    }

    private static boolean isIn(final List<PathMatcher> api, final String className) {
        final String outermost = className.replaceFirst("\\$.*", "");
        final Path source = Path.of(outermost.replace('.', '/') + ".java");
        return api.stream().anyMatch(files -> files.matches(source));
    }

    private static boolean isVisible(final Class<?> type) {
        return Modifier.isPublic(type.getModifiers())
            && (type.getDeclaringClass() == null || isVisible(type.getDeclaringClass()));
    }

    private static boolean isVisible(final Member member) {
        return (member.getModifiers() & (Modifier.PUBLIC | Modifier.PROTECTED)) != 0 && !member.isSynthetic();
    }

    private static List<Type> mentioned(final Class<?> type) {
        final List<Type> types = new ArrayList<>(List.of(type.getGenericInterfaces()));
        if (type.getGenericSuperclass() != null) {
            types.add(type.getGenericSuperclass());
        }
        for (final Field field : type.getDeclaredFields()) {
            if (isVisible(field)) {
                types.add(field.getGenericType());
            }
        }
        for (final Constructor<?> constructor : type.getDeclaredConstructors()) {
            if (isVisible(constructor)) {
                types.addAll(List.of(constructor.getGenericParameterTypes()));
            }
        }
        for (final Method method : type.getDeclaredMethods()) {
            if (isVisible(method)) {
                types.add(method.getGenericReturnType());
                types.addAll(List.of(method.getGenericParameterTypes()));
                types.addAll(List.of(method.getGenericExceptionTypes()));
            }
        }
        return types;
    }

    /** The classes that a type is made of. */
    private static List<Class<?>> plain(final Type type) {
        final List<Class<?>> classes = new ArrayList<>();
        if (type instanceof Class<?> one) {
            classes.add(one.isArray() ? one.getComponentType() : one);
        } else if (type instanceof ParameterizedType generic) {
            classes.addAll(plain(generic.getRawType()));
            Stream.of(generic.getActualTypeArguments()).map(PublicApiTest::plain).forEach(classes::addAll);
        } else if (type instanceof GenericArrayType array) {
            classes.addAll(plain(array.getGenericComponentType()));
        } else if (type instanceof WildcardType wildcard) {
            Stream.of(wildcard.getUpperBounds()).map(PublicApiTest::plain).forEach(classes::addAll);
        } else {
            assertTrue(type instanceof TypeVariable, type::toString);
        }
        return classes;
    }
}
