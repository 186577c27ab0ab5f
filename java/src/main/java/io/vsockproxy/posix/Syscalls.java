/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

/**
 * The shim's functions: one for each system call, without any policy.
 *
 * <p>Shapes: a descriptor is an {@code int}; memory crosses as an off-heap {@code address} and a length in bytes. Every
 * method retries EINTR (except {@link #close}, which must never be retried on Linux, {@link #epollWait}, which returns
 * 0, and {@link #connect}, whose attempt goes on in the background, so it returns {@code -EINTR}) and returns the
 * call's result, or {@code -errno}. Nothing here throws, allocates or keeps state, so any thread may call any method;
 * coordinating the use of a descriptor is up to the callers.
 *
 * <p>Ownership: descriptors that a method returns or writes to memory belong to the caller.
 *
 * <p>Source: the Linux manual page of the same name, section 2, unless a method names another.
 */
public final class Syscalls {
    static {
        NativeLibrary.load();
    }

    private Syscalls() {
    }

    // ---- What the shim was compiled against

    /**
     * A constant, struct size or field offset as the C compiler sees it: {@code "EAGAIN"},
     * {@code "sizeof.epoll_event"}, {@code "offsetof.epoll_event.data"}.
     *
     * @return its value, or {@link Long#MIN_VALUE} for a name that the shim does not know.
     */
    static native long constant(String name);

    // ---- Sockets

    /** socket(2). */
    public static native int socket(int domain, int type, int protocol);

    /** socketpair(2); writes two ints at {@code pairAddress}. */
    public static native int socketpair(int domain, int type, int protocol, long pairAddress);

    /** bind(2). */
    public static native int bind(int fd, long sockaddr, int length);

    /** listen(2). */
    public static native int listen(int fd, int backlog);

    /** connect(2); not retried on EINTR. */
    public static native int connect(int fd, long sockaddr, int length);

    /** accept4(2); {@code sockaddr} and {@code lengthAddress} may both be 0. */
    public static native int accept4(int fd, long sockaddr, long lengthAddress, int flags);

    /** shutdown(2). */
    public static native int shutdown(int fd, int how);

    /** getsockname(2); {@code lengthAddress} points to a socklen_t, in and out. */
    public static native int getsockname(int fd, long sockaddr, long lengthAddress);

    /** getpeername(2); {@code lengthAddress} points to a socklen_t, in and out. */
    public static native int getpeername(int fd, long sockaddr, long lengthAddress);

    /** getsockopt(2); {@code lengthAddress} points to a socklen_t, in and out. */
    public static native int getsockopt(int fd, int level, int name, long value, long lengthAddress);

    /** setsockopt(2). */
    public static native int setsockopt(int fd, int level, int name, long value, int length);

    /** recv(2). */
    public static native int recv(int fd, long address, int length, int flags);

    /** send(2). */
    public static native int send(int fd, long address, int length, int flags);

    /**
     * recvmsg(2) of one buffer with room for {@link ControlData#MAX_DESCRIPTORS} descriptors. Pass MSG_CMSG_CLOEXEC.
     *
     * @param control address of a {@link ControlData}, to which the received descriptors and the message's flags are
     *                written whenever the call succeeds. The descriptors of all SCM_RIGHTS headers of the message are
     *                listed, and belong to the caller, even when the flags include MSG_CTRUNC.
     * @return bytes received, or {@code -errno}.
     */
    public static native int recvmsg(int fd, long address, int length, int flags, long control);

    /**
     * recvmsg(2) of one buffer without room for control data. If there is some, the message's flags include MSG_CTRUNC,
     * and it is lost; with MSG_PEEK it stays where it is.
     *
     * @param flagsAddress where the message's flags are written, an int, whenever the call succeeds.
     * @return bytes received, or {@code -errno}.
     */
    public static native int recvmsgNoControl(int fd, long address, int length, int flags, long flagsAddress);

    /**
     * sendmsg(2) of {@code iovCount} pieces with {@code fdCount} descriptors (0 to 253; without control data for 0),
     * which still belong to the caller.
     *
     * @param iov         a table of {@link IoVec} entries.
     * @param fdsAddress  {@code fdCount} ints; may be 0 when there are none.
     * @return bytes sent, or {@code -errno}.
     */
    public static native int sendmsg(int fd, long iov, int iovCount, int flags, long fdsAddress, int fdCount);

    // ---- Readiness

    /** epoll_create1(2). */
    public static native int epollCreate1(int flags);

    /** epoll_ctl(2); {@code data} is the event's 64-bit user data. */
    public static native int epollCtl(int epfd, int operation, int fd, int events, long data);

    /** epoll_wait(2) into {@code maxEvents} structs of {@code sizeof.epoll_event} bytes; 0 when interrupted. */
    public static native int epollWait(int epfd, long eventsAddress, int maxEvents, int timeoutMs);

    /** poll(2) of one descriptor, without waiting: the events there are, out of {@code events}, POLLERR and POLLHUP. */
    public static native int poll(int fd, int events);

    /** eventfd(2). */
    public static native int eventfd(int initialValue, int flags);

    /** timerfd_create(2) of CLOCK_MONOTONIC. */
    public static native int timerfdCreate(int flags);

    /** timerfd_settime(2): the timer expires once, {@code delayNs} from now; 0 disarms it. */
    public static native int timerfdSettime(int fd, long delayNs);

    // ---- Pipes and files

    /** pipe2(2); writes two ints (read end, write end) at {@code pairAddress}. */
    public static native int pipe2(long pairAddress, int flags);

    /** open(2); {@code path} is the address of a string that ends in NUL. */
    public static native int open(long path, int flags, int mode);

    /** close(2), once: the descriptor is gone whatever is returned. */
    public static native int close(int fd);

    /**
     * dup3(2): makes {@code number} refer to the same open file description as {@code fd}, instead of what it referred
     * to before.
     */
    public static native int dup3(int fd, int number, int flags);

    /**
     * close_range(2) (Linux 5.9): closes the descriptors {@code first} to {@code last}, both included and both
     * unsigned. With CLOSE_RANGE_UNSHARE the calling thread gets a descriptor table of its own before that.
     */
    public static native int closeRange(int first, int last, int flags);

    /** read(2). */
    public static native long read(int fd, long address, long length);

    /** write(2). */
    public static native long write(int fd, long address, long length);

    /**
     * splice(2) at the descriptors' own positions; one of the two is a pipe. SPLICE_F_NONBLOCK applies to the pipe
     * only: if the other one is a socket, the call may wait for it unless that is O_NONBLOCK.
     */
    public static native long splice(int in, int out, long length, int flags);

    /** preadv2(2); {@code offset} -1 means the file's own position. */
    public static native long preadv2(int fd, long iov, int iovCount, long offset, int flags);

    /** pwritev2(2); {@code offset} -1 means the file's own position. */
    public static native long pwritev2(int fd, long iov, int iovCount, long offset, int flags);

    /**
     * statx(2) of a descriptor (empty path, AT_EMPTY_PATH added) into a {@code struct statx}. With AT_STATX_DONT_SYNC
     * it never waits for the file's server, so it may be called on the loop.
     */
    public static native int statx(int fd, int flags, int mask, long statxAddress);

    /** fstatfs(2)'s {@code f_type}, or {@code -errno}. */
    public static native long fstatfsType(int fd);

    /** lseek(2); may wait for a read or write through another copy of the descriptor. */
    public static native long lseek(int fd, long offset, int whence);

    /** ftruncate(2). */
    public static native int ftruncate(int fd, long length);

    /** fsync(2): waits for the disk. */
    public static native int fsync(int fd);

    /** fdatasync(2): waits for the disk. */
    public static native int fdatasync(int fd);

    /** fcntl(2) with an integer argument. */
    public static native int fcntl(int fd, int command, int argument);

    /** flock(2). */
    public static native int flock(int fd, int operation);

    /** ioctl(2) with a pointer argument. */
    public static native int ioctl(int fd, long request, long address);

    /** unlink(2); {@code path} is the address of a string that ends in NUL. */
    public static native int unlink(long path);

    /** chmod(2); {@code path} is the address of a string that ends in NUL. */
    public static native int chmod(long path, int mode);

    // ---- Memory

    /**
     * mmap(2).
     *
     * @return the address, or {@code -errno} (addresses are never in [-4095, -1]).
     */
    public static native long mmap(long hint, long length, int protection, int flags, int fd, long offset);

    /** munmap(2). */
    public static native int munmap(long address, long length);

    /** madvise(2). */
    public static native int madvise(long address, long length, int advice);

    /** mincore(2); one byte per page at {@code vectorAddress}. */
    public static native int mincore(long address, long length, long vectorAddress);

    // ---- Threads

    /** sched_yield(2). */
    public static native int schedYield();

    /** sched_setaffinity(2) of the calling thread to the one CPU {@code cpu}. */
    public static native int schedSetaffinity(int cpu);
}
