/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class DescriptorReserveTest {
    @Test
    void shouldSpareAnEighthOfALowLimitAndAMessagesWorthOfAHighOne() {
        assertEquals(56, new DescriptorReserve(64).firstSpare());
        assertEquals(896, new DescriptorReserve(1024).firstSpare());
        assertEquals(1 << 20, new DescriptorReserve(1 << 20).firstSpare() + 256);
        assertFalse(new DescriptorReserve(64).isSpare(55));
        assertTrue(new DescriptorReserve(64).isSpare(56));
    }

    @Test
    void shouldSpareNothingWithoutALimit() {
        final long limit =
            DescriptorReserve.softLimit(List.of("Max open files            unlimited   unlimited   files"));
        assertFalse(new DescriptorReserve(limit).isSpare(1 << 30));
        assertEquals(limit, DescriptorReserve.softLimit(List.of("Max processes   1   2   processes")));
    }

    @Test
    void shouldKeepADescriptorUnlessItIsSpare() throws InterruptedException {
        final int before = Descriptors.count();
        final DescriptorReserve none = new DescriptorReserve(Integer.MAX_VALUE);
        final DescriptorReserve all = new DescriptorReserve(0);
        final int fd = none.keep(Syscalls.eventfd(0, Constants.EFD_CLOEXEC));
        assertTrue(Syscalls.fcntl(fd, Constants.F_GETFL, 0) >= 0, "still open");
        assertEquals(-Errno.EMFILE, all.keep(fd));
        Descriptors.assertCount(before);
        assertEquals(-Errno.ENOENT, all.keep(-Errno.ENOENT));
    }

    @Test
    void shouldKeepAPairUnlessOneOfItIsSpare() throws InterruptedException {
        final int before = Descriptors.count();
        try (DescriptorPair pair = new DescriptorPair()) {
            assertEquals(0, pair.pipe(0));
            assertEquals(0, pair.keep(new DescriptorReserve(Integer.MAX_VALUE)));
            assertTrue(Syscalls.fcntl(pair.second(), Constants.F_GETFL, 0) >= 0, "still open");
            assertEquals(-Errno.EMFILE, pair.keep(new DescriptorReserve(Math.max(pair.first(), pair.second()))));
            Descriptors.assertCount(before);
        }
    }

    @Test
    void shouldReadTheSoftLimit() {
        assertEquals(1024, DescriptorReserve.softLimit(List.of(
            "Limit                     Soft Limit           Hard Limit           Units     ",
            "Max processes             63449                63449                processes ",
            "Max open files            1024                 524288               files     ")));
        assertFalse(DescriptorReserve.ofThisProcess().isSpare(3));
    }
}
