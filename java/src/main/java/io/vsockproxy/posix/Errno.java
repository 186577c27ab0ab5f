/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import java.util.Map;

/**
 * The error numbers that this project uses, as positive numbers, read from the shim. On the wire, error numbers are
 * Linux's. Any thread.
 */
public final class Errno {
    public static final int EPERM = Constants.of("EPERM");
    public static final int ENOENT = Constants.of("ENOENT");
    public static final int EINTR = Constants.of("EINTR");
    public static final int EIO = Constants.of("EIO");
    public static final int ENXIO = Constants.of("ENXIO");
    public static final int EBADF = Constants.of("EBADF");
    public static final int EAGAIN = Constants.of("EAGAIN");
    public static final int ENOMEM = Constants.of("ENOMEM");
    public static final int EACCES = Constants.of("EACCES");
    public static final int EFAULT = Constants.of("EFAULT");
    public static final int EEXIST = Constants.of("EEXIST");
    public static final int ENODEV = Constants.of("ENODEV");
    public static final int EINVAL = Constants.of("EINVAL");
    public static final int ENFILE = Constants.of("ENFILE");
    public static final int EMFILE = Constants.of("EMFILE");
    public static final int EFBIG = Constants.of("EFBIG");
    public static final int ENOSPC = Constants.of("ENOSPC");
    public static final int ESPIPE = Constants.of("ESPIPE");
    public static final int EROFS = Constants.of("EROFS");
    public static final int EPIPE = Constants.of("EPIPE");
    public static final int ENAMETOOLONG = Constants.of("ENAMETOOLONG");
    public static final int ENOSYS = Constants.of("ENOSYS");
    public static final int ENOTSOCK = Constants.of("ENOTSOCK");
    public static final int EDESTADDRREQ = Constants.of("EDESTADDRREQ");
    public static final int EMSGSIZE = Constants.of("EMSGSIZE");
    public static final int EOPNOTSUPP = Constants.of("EOPNOTSUPP");
    public static final int EADDRINUSE = Constants.of("EADDRINUSE");
    public static final int ECONNABORTED = Constants.of("ECONNABORTED");
    public static final int ECONNRESET = Constants.of("ECONNRESET");
    public static final int ENOBUFS = Constants.of("ENOBUFS");
    public static final int ENOTCONN = Constants.of("ENOTCONN");
    public static final int ETIMEDOUT = Constants.of("ETIMEDOUT");
    public static final int ECONNREFUSED = Constants.of("ECONNREFUSED");
    public static final int EINPROGRESS = Constants.of("EINPROGRESS");
    public static final int ETOOMANYREFS = Constants.of("ETOOMANYREFS");
    public static final int EPROTO = Constants.of("EPROTO");
    public static final int EBUSY = Constants.of("EBUSY");
    public static final int ENOTDIR = Constants.of("ENOTDIR");
    public static final int ENOTTY = Constants.of("ENOTTY");
    public static final int ENONET = Constants.of("ENONET");
    public static final int ENOPROTOOPT = Constants.of("ENOPROTOOPT");
    public static final int ENETDOWN = Constants.of("ENETDOWN");
    public static final int ENETUNREACH = Constants.of("ENETUNREACH");
    public static final int EHOSTDOWN = Constants.of("EHOSTDOWN");
    public static final int EHOSTUNREACH = Constants.of("EHOSTUNREACH");

    private static final int MAX_ERRNO = 4095;

    private static final Map<Integer, String> NAMES = Map.ofEntries(
        Map.entry(EPERM, "EPERM"),
        Map.entry(ENOENT, "ENOENT"),
        Map.entry(EINTR, "EINTR"),
        Map.entry(EIO, "EIO"),
        Map.entry(ENXIO, "ENXIO"),
        Map.entry(EBADF, "EBADF"),
        Map.entry(EAGAIN, "EAGAIN"),
        Map.entry(ENOMEM, "ENOMEM"),
        Map.entry(EACCES, "EACCES"),
        Map.entry(EFAULT, "EFAULT"),
        Map.entry(EEXIST, "EEXIST"),
        Map.entry(ENODEV, "ENODEV"),
        Map.entry(EINVAL, "EINVAL"),
        Map.entry(ENFILE, "ENFILE"),
        Map.entry(EMFILE, "EMFILE"),
        Map.entry(EFBIG, "EFBIG"),
        Map.entry(ENOSPC, "ENOSPC"),
        Map.entry(ESPIPE, "ESPIPE"),
        Map.entry(EROFS, "EROFS"),
        Map.entry(EPIPE, "EPIPE"),
        Map.entry(ENAMETOOLONG, "ENAMETOOLONG"),
        Map.entry(ENOSYS, "ENOSYS"),
        Map.entry(ENOTSOCK, "ENOTSOCK"),
        Map.entry(EDESTADDRREQ, "EDESTADDRREQ"),
        Map.entry(EMSGSIZE, "EMSGSIZE"),
        Map.entry(EOPNOTSUPP, "EOPNOTSUPP"),
        Map.entry(EADDRINUSE, "EADDRINUSE"),
        Map.entry(ECONNABORTED, "ECONNABORTED"),
        Map.entry(ECONNRESET, "ECONNRESET"),
        Map.entry(ENOBUFS, "ENOBUFS"),
        Map.entry(ENOTCONN, "ENOTCONN"),
        Map.entry(ETIMEDOUT, "ETIMEDOUT"),
        Map.entry(ECONNREFUSED, "ECONNREFUSED"),
        Map.entry(EINPROGRESS, "EINPROGRESS"),
        Map.entry(ETOOMANYREFS, "ETOOMANYREFS"),
        Map.entry(EPROTO, "EPROTO"),
        Map.entry(EBUSY, "EBUSY"),
        Map.entry(ENOTDIR, "ENOTDIR"),
        Map.entry(ENOTTY, "ENOTTY"),
        Map.entry(ENONET, "ENONET"),
        Map.entry(ENOPROTOOPT, "ENOPROTOOPT"),
        Map.entry(ENETDOWN, "ENETDOWN"),
        Map.entry(ENETUNREACH, "ENETUNREACH"),
        Map.entry(EHOSTDOWN, "EHOSTDOWN"),
        Map.entry(EHOSTUNREACH, "EHOSTUNREACH"));

    private Errno() {
    }

    /**
     * Whether an error of a socket's send says that the kernel is short of something that nothing will tell it has
     * again: descriptors in flight (ETOOMANYREFS) or memory. Such a call is to be repeated after a while.
     */
    public static boolean isShortage(final int errno) {
        return errno == ETOOMANYREFS || errno == ENOBUFS || errno == ENOMEM;
    }

    /** Whether a call's result is an error rather than a count, a descriptor or an address. */
    public static boolean isError(final long result) {
        return result < 0 && result >= -MAX_ERRNO;
    }

    /** The name of an error number, for a log line: {@code ECONNREFUSED}, or {@code errno 512} for one not listed. */
    public static String name(final int errno) {
        final String name = NAMES.get(errno);
        return name != null ? name : "errno " + errno;
    }
}
