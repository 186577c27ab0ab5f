/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

/**
 * Constants and struct layouts as the C compiler sees them, read from the shim once.
 *
 * <p>Names are the kernel's own. Immutable; any thread.
 */
public final class Constants {
    public static final int AF_UNIX = of("AF_UNIX");
    public static final int AF_VSOCK = of("AF_VSOCK");
    public static final int AF_NETLINK = of("AF_NETLINK");
    public static final int SOCK_STREAM = of("SOCK_STREAM");
    public static final int SOCK_DGRAM = of("SOCK_DGRAM");
    public static final int SOCK_SEQPACKET = of("SOCK_SEQPACKET");
    public static final int SOCK_CLOEXEC = of("SOCK_CLOEXEC");
    public static final int SOCK_NONBLOCK = of("SOCK_NONBLOCK");
    public static final int SOL_SOCKET = of("SOL_SOCKET");
    public static final int SO_ERROR = of("SO_ERROR");
    public static final int SO_TYPE = of("SO_TYPE");
    public static final int SO_DOMAIN = of("SO_DOMAIN");
    public static final int SO_ACCEPTCONN = of("SO_ACCEPTCONN");
    public static final int SO_OOBINLINE = of("SO_OOBINLINE");
    public static final int SO_SNDBUF = of("SO_SNDBUF");
    public static final int SO_VM_SOCKETS_BUFFER_SIZE = of("SO_VM_SOCKETS_BUFFER_SIZE");
    public static final int SO_VM_SOCKETS_BUFFER_MAX_SIZE = of("SO_VM_SOCKETS_BUFFER_MAX_SIZE");
    public static final int VMADDR_CID_ANY = of("VMADDR_CID_ANY");
    public static final int NETLINK_SOCK_DIAG = of("NETLINK_SOCK_DIAG");
    public static final int MSG_DONTWAIT = of("MSG_DONTWAIT");
    public static final int MSG_NOSIGNAL = of("MSG_NOSIGNAL");
    public static final int MSG_CMSG_CLOEXEC = of("MSG_CMSG_CLOEXEC");
    public static final int MSG_CTRUNC = of("MSG_CTRUNC");
    public static final int MSG_TRUNC = of("MSG_TRUNC");
    public static final int MSG_PEEK = of("MSG_PEEK");
    public static final int SHUT_RD = of("SHUT_RD");
    public static final int SHUT_WR = of("SHUT_WR");
    public static final int SHUT_RDWR = of("SHUT_RDWR");

    public static final int EPOLL_CLOEXEC = of("EPOLL_CLOEXEC");
    public static final int EPOLL_CTL_ADD = of("EPOLL_CTL_ADD");
    public static final int EPOLL_CTL_MOD = of("EPOLL_CTL_MOD");
    public static final int EPOLL_CTL_DEL = of("EPOLL_CTL_DEL");
    public static final int EPOLLIN = of("EPOLLIN");
    public static final int EPOLLOUT = of("EPOLLOUT");
    public static final int EPOLLERR = of("EPOLLERR");
    public static final int EPOLLHUP = of("EPOLLHUP");
    public static final int EPOLLRDHUP = of("EPOLLRDHUP");
    public static final int EPOLLET = of("EPOLLET");
    public static final int EFD_CLOEXEC = of("EFD_CLOEXEC");
    public static final int EFD_NONBLOCK = of("EFD_NONBLOCK");
    public static final int TFD_CLOEXEC = of("TFD_CLOEXEC");
    public static final int TFD_NONBLOCK = of("TFD_NONBLOCK");

    public static final int O_RDONLY = of("O_RDONLY");
    public static final int O_WRONLY = of("O_WRONLY");
    public static final int O_RDWR = of("O_RDWR");
    public static final int O_ACCMODE = of("O_ACCMODE");
    public static final int O_NONBLOCK = of("O_NONBLOCK");
    public static final int O_APPEND = of("O_APPEND");
    public static final int O_CLOEXEC = of("O_CLOEXEC");
    public static final int O_CREAT = of("O_CREAT");
    public static final int O_TRUNC = of("O_TRUNC");
    public static final int O_DIRECTORY = of("O_DIRECTORY");
    public static final int O_PATH = of("O_PATH");
    public static final int O_NOFOLLOW = of("O_NOFOLLOW");
    public static final int O_DIRECT = of("O_DIRECT");
    public static final int O_SYNC = of("O_SYNC");
    public static final int O_DSYNC = of("O_DSYNC");
    public static final int F_GETFL = of("F_GETFL");
    public static final int F_SETFL = of("F_SETFL");
    public static final int F_GETFD = of("F_GETFD");
    public static final int F_DUPFD_CLOEXEC = of("F_DUPFD_CLOEXEC");
    public static final int F_SETPIPE_SZ = of("F_SETPIPE_SZ");
    public static final int LOCK_EX = of("LOCK_EX");
    public static final int LOCK_NB = of("LOCK_NB");
    public static final int SPLICE_F_NONBLOCK = of("SPLICE_F_NONBLOCK");
    public static final int CLOSE_RANGE_UNSHARE = of("CLOSE_RANGE_UNSHARE");
    public static final int FIONREAD = of("FIONREAD");
    public static final int RWF_NOWAIT = of("RWF_NOWAIT");
    public static final int RWF_APPEND = of("RWF_APPEND");
    public static final int AT_STATX_DONT_SYNC = of("AT_STATX_DONT_SYNC");
    public static final int STATX_BASIC_STATS = of("STATX_BASIC_STATS");
    public static final int S_IFMT = of("S_IFMT");
    public static final int S_IFREG = of("S_IFREG");
    public static final int S_IFDIR = of("S_IFDIR");
    public static final int S_IFIFO = of("S_IFIFO");
    public static final int S_IFSOCK = of("S_IFSOCK");

    public static final int MS_NOSUID = of("MS_NOSUID");
    public static final int MS_NODEV = of("MS_NODEV");
    public static final int MS_NOEXEC = of("MS_NOEXEC");
    public static final int MNT_FORCE = of("MNT_FORCE");
    public static final int MNT_DETACH = of("MNT_DETACH");
    public static final int UMOUNT_NOFOLLOW = of("UMOUNT_NOFOLLOW");

    public static final int PROT_READ = of("PROT_READ");
    public static final int PROT_WRITE = of("PROT_WRITE");
    public static final int MAP_SHARED = of("MAP_SHARED");
    public static final int MAP_PRIVATE = of("MAP_PRIVATE");
    public static final int MAP_ANONYMOUS = of("MAP_ANONYMOUS");
    public static final int MAP_NORESERVE = of("MAP_NORESERVE");
    public static final int MADV_DONTNEED = of("MADV_DONTNEED");
    public static final int MADV_POPULATE_READ = of("MADV_POPULATE_READ");

    public static final int SIZEOF_EPOLL_EVENT = of("sizeof.epoll_event");
    public static final int EPOLL_EVENT_EVENTS_OFFSET = of("offsetof.epoll_event.events");
    public static final int EPOLL_EVENT_DATA_OFFSET = of("offsetof.epoll_event.data");
    public static final int SIZEOF_SOCKADDR_UN = of("sizeof.sockaddr_un");
    public static final int SOCKADDR_UN_FAMILY_OFFSET = of("offsetof.sockaddr_un.sun_family");
    public static final int SOCKADDR_UN_PATH_OFFSET = of("offsetof.sockaddr_un.sun_path");
    public static final int SIZEOF_SOCKADDR_VM = of("sizeof.sockaddr_vm");
    public static final int SOCKADDR_VM_FAMILY_OFFSET = of("offsetof.sockaddr_vm.svm_family");
    public static final int SOCKADDR_VM_PORT_OFFSET = of("offsetof.sockaddr_vm.svm_port");
    public static final int SOCKADDR_VM_CID_OFFSET = of("offsetof.sockaddr_vm.svm_cid");
    public static final int SIZEOF_STATX = of("sizeof.statx");
    public static final int STATX_MODE_OFFSET = of("offsetof.statx.stx_mode");
    public static final int STATX_SIZE_OFFSET = of("offsetof.statx.stx_size");
    public static final int STATX_INO_OFFSET = of("offsetof.statx.stx_ino");
    public static final int STATX_DEV_MAJOR_OFFSET = of("offsetof.statx.stx_dev_major");
    public static final int STATX_DEV_MINOR_OFFSET = of("offsetof.statx.stx_dev_minor");
    public static final int STATX_NLINK_OFFSET = of("offsetof.statx.stx_nlink");
    public static final int STATX_BLOCKS_OFFSET = of("offsetof.statx.stx_blocks");
    public static final int STATX_ATIME_OFFSET = of("offsetof.statx.stx_atime");
    public static final int STATX_MTIME_OFFSET = of("offsetof.statx.stx_mtime");
    public static final int STATX_CTIME_OFFSET = of("offsetof.statx.stx_ctime");
    public static final int STATX_TIMESTAMP_SECONDS_OFFSET = of("offsetof.statx_timestamp.tv_sec");
    public static final int STATX_TIMESTAMP_NANOSECONDS_OFFSET = of("offsetof.statx_timestamp.tv_nsec");

    private Constants() {
    }

    static int of(final String name) {
        final long value = Syscalls.constant(name);
        if (value == Long.MIN_VALUE) {
            throw new UnsatisfiedLinkError("the native library does not know the constant " + name
                + "; use the library that came with this version of " + NativeLibrary.ARTIFACT);
        }
        return (int) value;
    }
}
