/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.testing.Allocations;
import java.nio.ByteBuffer;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.Test;

class AllocationTest {
    private static final int MESSAGES = 100_000;
    private static final int BLOB_OFFSET = 64;
    private static final int BLOB_LENGTH = 64;

    private final UnsafeBuffer buffer = new UnsafeBuffer(ByteBuffer.allocateDirect(256));
    private final MessageDecoder decoder = new MessageDecoder(4);
    private final BlobPrefix prefix = new BlobPrefix();

    @Test
    void shouldNotAllocatePerMessage() {
        Allocations.assertNone(MESSAGES, this::encodeAndDecode);
    }

    private void encodeAndDecode(final int messages) {
        for (int i = 1; i <= messages; i++) {
            final int end = MessageEncoder.putTransferredDescriptor(
                buffer, BLOB_OFFSET + BLOB_LENGTH, DescriptorType.FIFO_READ, -i, 2, 0);
            final int trailingLength = end - BLOB_OFFSET - BLOB_LENGTH;
            int frame = DataHeader.encodeBefore(buffer, BLOB_OFFSET, -i, BLOB_LENGTH, trailingLength);
            decode(frame);
            assertTrue(decoder.handle() == -i && decoder.descriptorHandle(0) == -i);

            frame = DataHeader.encodeBefore(buffer, BLOB_OFFSET, i, BLOB_LENGTH, 0);
            assertTrue(prefix.wrap(buffer, frame, BLOB_OFFSET - frame) && prefix.handle() == i);

            MessageEncoder.preadRequest(buffer, 0, i, -i, i, i);
            decode(0);
            assertTrue(decoder.cookie() == i && decoder.handle() == -i);
        }
    }

    private void decode(final int frame) {
        final int bodyLength = (int) FrameDescriptor.bodyLength(buffer, frame);
        decoder.wrap(buffer, frame + FrameDescriptor.SIZE_LENGTH, bodyLength);
    }
}
