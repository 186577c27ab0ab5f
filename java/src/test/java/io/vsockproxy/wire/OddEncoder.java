/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import com.google.protobuf.ByteString;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/**
 * Encodes a message in ways that no encoder uses and every decoder must accept: fields in any order, integers and
 * lengths longer than necessary, fields that a later one overrides, messages in pieces, unknown fields in between.
 */
final class OddEncoder {
    private final Random random;

    OddEncoder(final Random random) {
        this.random = random;
    }

    byte[] encode(final Message message) {
        final List<byte[]> fields = new ArrayList<>();
        message.getAllFields().forEach((field, value) -> {
            if (field.isRepeated()) {
                // In one piece, or the elements would change their order.
                final ByteArrayOutputStream all = new ByteArrayOutputStream();
                ((List<?>) value).forEach(element -> all.writeBytes(encode(field, element)));
                fields.add(all.toByteArray());
            } else {
                fields.add(encode(field, value));
            }
        });
        for (int i = random.nextInt(3); i > 0; i--) {
            fields.add(unknownField(0));
        }
        Collections.shuffle(fields, random);
        return concatenate(fields);
    }

    byte[] unknownField(final int depth) {
        final ByteArrayOutputStream out = new ByteArrayOutputStream();
        final int number = 16 + (random.nextInt() >>> (3 + random.nextInt(29))) % ((1 << 29) - 16);
        final int wireType = random.nextInt(depth < 5 ? 5 : 3);
        switch (wireType) {
            case 0 -> {
                varint(out, ((long) number << 3) | Field.VARINT);
                varint(out, random.nextLong() >>> random.nextInt(64));
            }
            case 1 -> {
                varint(out, ((long) number << 3) | Field.FIXED64);
                out.writeBytes(randomBytes(8));
            }
            case 2 -> {
                varint(out, ((long) number << 3) | Field.FIXED32);
                out.writeBytes(randomBytes(4));
            }
            case 3 -> {
                varint(out, ((long) number << 3) | Field.LENGTH_DELIMITED);
                final byte[] bytes = randomBytes(random.nextInt(20));
                varint(out, bytes.length);
                out.writeBytes(bytes);
            }
            default -> {
                varint(out, ((long) number << 3) | Field.START_GROUP);
                for (int i = random.nextInt(3); i > 0; i--) {
                    out.writeBytes(unknownField(depth + 1));
                }
                varint(out, ((long) number << 3) | Field.END_GROUP);
            }
        }
        return out.toByteArray();
    }

    private byte[] encode(final FieldDescriptor field, final Object value) {
        final ByteArrayOutputStream out = new ByteArrayOutputStream();
        switch (field.getJavaType()) {
            case INT -> integer(out, field, (Integer) value);
            case LONG -> integer(out, field, (Long) value);
            case ENUM -> integer(out, field, ((EnumValueDescriptor) value).getNumber());
            case STRING -> bytes(out, field, ((String) value).getBytes(StandardCharsets.UTF_8));
            case BYTE_STRING -> {
                if (random.nextInt(4) == 0) {
                    bytes(out, field, randomBytes(random.nextInt(10)));
                }
                bytes(out, field, ((ByteString) value).toByteArray());
            }
            case MESSAGE -> {
                if (!field.isRepeated() && random.nextInt(4) == 0) {
                    bytes(out, field, random.nextBoolean() ? new byte[0] : unknownField(0));
                }
                bytes(out, field, encode((Message) value));
                if (!field.isRepeated() && random.nextInt(4) == 0) {
                    bytes(out, field, new byte[0]);
                }
            }
            default -> throw new AssertionError(field.getJavaType().name());
        }
        return out.toByteArray();
    }

    private void integer(final ByteArrayOutputStream out, final FieldDescriptor field, final long value) {
        if (random.nextInt(4) == 0) {
            varint(out, ((long) field.getNumber() << 3) | Field.VARINT);
            varint(out, random.nextLong());
        }
        varint(out, ((long) field.getNumber() << 3) | Field.VARINT);
        varint(out, value);
    }

    private void bytes(final ByteArrayOutputStream out, final FieldDescriptor field, final byte[] bytes) {
        varint(out, ((long) field.getNumber() << 3) | Field.LENGTH_DELIMITED);
        varint(out, bytes.length);
        out.writeBytes(bytes);
    }

    private void varint(final ByteArrayOutputStream out, final long value) {
        final int least = Varint.length(value);
        final int length = random.nextInt(8) == 0 ? least + random.nextInt(Varint.MAX_LENGTH + 1 - least) : least;
        long rest = value;
        for (int i = 1; i < length; i++) {
            out.write(((int) rest & 0x7F) | 0x80);
            rest >>>= 7;
        }
        out.write((int) rest & 0x7F);
    }

    private byte[] randomBytes(final int length) {
        final byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    private static byte[] concatenate(final List<byte[]> parts) {
        final ByteArrayOutputStream out = new ByteArrayOutputStream();
        parts.forEach(out::writeBytes);
        return out.toByteArray();
    }
}
