/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Paths;
import io.vsockproxy.posix.Syscalls;

/**
 * What {@code /dev/vsock} tells about this machine; asking it needs no socket. Any thread.
 *
 * <p>Source: vsock(7), include/uapi/linux/vm_sockets.h, vsock_dev_do_ioctl in net/vmw_vsock/af_vsock.c.
 */
public final class VsockDevice {
    /** Where the device usually is. */
    public static final String PATH = "/dev/vsock";

    /** _IO(7, 0xb9). */
    private static final long IOCTL_VM_SOCKETS_GET_LOCAL_CID = 0x7b9;

    private VsockDevice() {
    }

    /**
     * This machine's context identifier, as its host sees it; on a machine that only has guests, that of a host, 2.
     *
     * @return the CID, unsigned, so never negative; VMADDR_CID_ANY, 4294967295, when no transport to a host or a guest
     *     is loaded; or {@code -errno}: ENOENT without AF_VSOCK, ENOTTY when {@code path} is something else.
     */
    public static long localCid(final String path) {
        final int fd = Paths.open(path, Constants.O_RDONLY | Constants.O_CLOEXEC);
        if (fd < 0) {
            return fd;
        }
        try (OwnedFd device = OwnedFd.of(fd); Memory value = Memory.allocate(Integer.BYTES)) {
            final int result = Syscalls.ioctl(device.fd(), IOCTL_VM_SOCKETS_GET_LOCAL_CID, value.address());
            return result < 0 ? result : Integer.toUnsignedLong(value.buffer().getInt(0));
        }
    }
}
