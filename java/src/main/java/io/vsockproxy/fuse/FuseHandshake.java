/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.Errno;
import org.agrona.DirectBuffer;
import org.agrona.MutableDirectBuffer;

/**
 * The kernel's first request, FUSE_INIT, and its answer, which fix the protocol's version and flags.
 */
final class FuseHandshake {
    private static final int MAX_BACKGROUND = 1024;
    /** 1 MiB that begins in the middle of a page touches one page more. The kernel lowers this to its own limit. */
    private static final int MAX_PAGES = FuseChannel.MAX_DATA_LENGTH / 4096 + 1;
    /**
     * HANDLE_KILLPRIV: the owner's kernel clears set-id bits when it writes; otherwise this kernel would ask for a
     * chmod, which is refused here.
     */
    private static final long WANTED_FLAGS = FuseProtocol.FUSE_ASYNC_READ
        | FuseProtocol.FUSE_BIG_WRITES
        | FuseProtocol.FUSE_AUTO_INVAL_DATA
        | FuseProtocol.FUSE_ASYNC_DIO
        | FuseProtocol.FUSE_PARALLEL_DIROPS
        | FuseProtocol.FUSE_HANDLE_KILLPRIV
        | FuseProtocol.FUSE_MAX_PAGES
        | FuseProtocol.FUSE_INIT_EXT
        | FuseProtocol.FUSE_DIRECT_IO_ALLOW_MMAP
        | FuseProtocol.FUSE_NO_EXPORT_SUPPORT;

    private FuseHandshake() {
    }

    /**
     * Writes the answer to {@code reply}.
     *
     * @param offset    index of the arguments of a FUSE_INIT, of which there are {@code arguments} bytes.
     * @return 0, or an errno: EPROTO when the kernel is too old.
     */
    static int answer(
        final DirectBuffer request, final int offset, final int arguments, final MutableDirectBuffer reply) {
        if (arguments < FuseInit.MIN_IN_LENGTH) {
            return Errno.EINVAL;
        }
        final int major = FuseInit.major(request, offset);
        final int minor = FuseInit.minor(request, offset);
        if (major < FuseProtocol.MAJOR_VERSION
            || (major == FuseProtocol.MAJOR_VERSION && minor < FuseProtocol.MIN_MINOR_VERSION)) {
            return Errno.EPROTO;
        }
        // A kernel with a newer major version is answered with our own, and then asks again with that.
        final boolean isNewer = major > FuseProtocol.MAJOR_VERSION;
        final long flags = isNewer ? 0 : FuseInit.flags(request, offset, arguments) & WANTED_FLAGS;
        FuseInit.putOut(
            reply,
            FuseChannel.RESULT_OFFSET,
            isNewer ? FuseProtocol.MINOR_VERSION : Math.min(minor, FuseProtocol.MINOR_VERSION),
            FuseInit.maxReadahead(request, offset),
            flags,
            MAX_BACKGROUND,
            FuseChannel.MAX_DATA_LENGTH,
            MAX_PAGES);
        return 0;
    }
}
