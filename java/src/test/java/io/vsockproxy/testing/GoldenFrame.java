/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import com.google.protobuf.TextFormat;
import io.vsockproxy.proto.VSockMessage;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

/**
 * A line of {@code frames.tsv}: a message in text form, and the frame that the C++ protobuf compiler made from it, in
 * hex.
 */
public record GoldenFrame(String text, String hex) {
    /** All of them. */
    public static List<GoldenFrame> all() {
        try (InputStream in = GoldenFrame.class.getResourceAsStream("/frames.tsv")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines()
                .filter(line -> !line.startsWith("#"))
                .map(GoldenFrame::parse)
                .toList();
        } catch (final IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Its bytes. */
    public byte[] frame() {
        return HexFormat.of().parseHex(hex);
    }

    /** Its bytes without the size. */
    public byte[] body() {
        return Arrays.copyOfRange(frame(), Long.BYTES, frame().length);
    }

    /** What it says. */
    public VSockMessage message() {
        try {
            return TextFormat.parse(text, VSockMessage.class);
        } catch (final TextFormat.ParseException e) {
            throw new IllegalStateException(text, e);
        }
    }

    @Override
    public String toString() {
        return text.isEmpty() ? "(empty)" : text;
    }

    private static GoldenFrame parse(final String line) {
        final int tab = line.indexOf('\t');
        return new GoldenFrame(line.substring(0, tab), line.substring(tab + 1));
    }
}
