/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */

/*
 * The functions behind io.vsockproxy.posix.Syscalls, one for each system call. Each returns the call's result or
 * -errno, keeps no state, allocates nothing and throws nothing. Only vp_constant uses env, so the tests can call the
 * others without a JVM.
 */
#ifndef VSOCKPROXY_SHIM_H
#define VSOCKPROXY_SHIM_H

#include <errno.h>
#include <jni.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Raised whenever a signature in Syscalls, or the meaning of one, changes; NativeLibrary expects the same number. */
#ifndef VP_ABI_VERSION
#define VP_ABI_VERSION 3
#endif

/* Java passes addresses and offsets as 64 bits, and the system calls below take them in one register. */
_Static_assert(sizeof(void *) == 8 && sizeof(long) == 8 && sizeof(size_t) == 8, "the shim is for LP64 only");
_Static_assert(sizeof(jint) == sizeof(int) && sizeof(jlong) == sizeof(long), "JNI's integers are C's");
_Static_assert(sizeof(struct iovec) == 16, "IoVec.LENGTH");

/* The two arguments that every static native method begins with. */
#define VP_JVM JNIEnv *env __attribute__((unused)), jclass owner __attribute__((unused))

/* Repeats a call while signals interrupt it (EINTR). The value is the call's result, or -errno. */
#define VP_RETRY(call) \
    __extension__({ \
        long result_; \
        do { \
            result_ = (long)(call); \
        } while (result_ == -1 && errno == EINTR); \
        result_ == -1 ? -(long)errno : result_; \
    })

/* The same for results that fit an int: all except addresses, and byte counts of calls that take a 64-bit length. */
#define VP_RETRY_INT(call) ((jint)VP_RETRY(call))

/*
 * For the calls that every message needs several of. The C library's own functions are cancellation points
 * (pthread_cancel(3)), which costs two atomic operations per call in a process with more than one thread.
 */
#define VP_SYSCALL(name, ...) syscall(SYS_##name, __VA_ARGS__)

static inline void *vp_pointer(jlong address) {
    return (void *)(uintptr_t)address;
}

#define VP_NATIVE(name, signature, function) { (char *)(name), (char *)(signature), (void *)(function) }

/* The native methods of one source file, for JNI_OnLoad. */
typedef struct {
    const JNINativeMethod *methods;
    jint count;
} vp_natives;

#define VP_NATIVES(methods) { methods, (jint)(sizeof(methods) / sizeof((methods)[0])) }

extern const vp_natives vp_constant_natives;
extern const vp_natives vp_socket_natives;
extern const vp_natives vp_message_natives;
extern const vp_natives vp_epoll_natives;
extern const vp_natives vp_file_natives;
extern const vp_natives vp_memory_natives;
extern const vp_natives vp_thread_natives;

/* constants.c */
jlong vp_lookup(const char *name);
jlong vp_constant(JNIEnv *env, jclass owner, jstring name);

/* socket.c */
jint vp_socket(VP_JVM, jint domain, jint type, jint protocol);
jint vp_socketpair(VP_JVM, jint domain, jint type, jint protocol, jlong pair_address);
jint vp_bind(VP_JVM, jint fd, jlong address, jint length);
jint vp_listen(VP_JVM, jint fd, jint backlog);
jint vp_connect(VP_JVM, jint fd, jlong address, jint length);
jint vp_accept4(VP_JVM, jint fd, jlong address, jlong length_address, jint flags);
jint vp_shutdown(VP_JVM, jint fd, jint how);
jint vp_getsockname(VP_JVM, jint fd, jlong address, jlong length_address);
jint vp_getpeername(VP_JVM, jint fd, jlong address, jlong length_address);
jint vp_getsockopt(VP_JVM, jint fd, jint level, jint name, jlong value, jlong length_address);
jint vp_setsockopt(VP_JVM, jint fd, jint level, jint name, jlong value, jint length);
jint vp_recv(VP_JVM, jint fd, jlong address, jint length, jint flags);
jint vp_send(VP_JVM, jint fd, jlong address, jint length, jint flags);

/* message.c */
jint vp_recvmsg(VP_JVM, jint fd, jlong address, jint length, jint flags, jlong control);
jint vp_recvmsg_no_control(VP_JVM, jint fd, jlong address, jint length, jint flags, jlong flags_address);
jint vp_sendmsg(VP_JVM, jint fd, jlong iov, jint iov_count, jint flags, jlong fds_address, jint fd_count);

/* epoll.c */
jint vp_epoll_create1(VP_JVM, jint flags);
jint vp_epoll_ctl(VP_JVM, jint epfd, jint operation, jint fd, jint events, jlong data);
jint vp_epoll_wait(VP_JVM, jint epfd, jlong events_address, jint max_events, jint timeout_ms);
jint vp_poll(VP_JVM, jint fd, jint events);
jint vp_eventfd(VP_JVM, jint initial_value, jint flags);
jint vp_timerfd_create(VP_JVM, jint flags);
jint vp_timerfd_settime(VP_JVM, jint fd, jlong delay_ns);

/* file.c */
jint vp_pipe2(VP_JVM, jlong pair_address, jint flags);
jint vp_open(VP_JVM, jlong path, jint flags, jint mode);
jint vp_close(VP_JVM, jint fd);
jint vp_dup3(VP_JVM, jint fd, jint number, jint flags);
jint vp_close_range(VP_JVM, jint first, jint last, jint flags);
jlong vp_read(VP_JVM, jint fd, jlong address, jlong length);
jlong vp_write(VP_JVM, jint fd, jlong address, jlong length);
jlong vp_splice(VP_JVM, jint in, jint out, jlong length, jint flags);
jlong vp_preadv2(VP_JVM, jint fd, jlong iov, jint iov_count, jlong offset, jint flags);
jlong vp_pwritev2(VP_JVM, jint fd, jlong iov, jint iov_count, jlong offset, jint flags);
jint vp_statx(VP_JVM, jint fd, jint flags, jint mask, jlong statx_address);
jlong vp_fstatfs_type(VP_JVM, jint fd);
jlong vp_lseek(VP_JVM, jint fd, jlong offset, jint whence);
jint vp_ftruncate(VP_JVM, jint fd, jlong length);
jint vp_fsync(VP_JVM, jint fd);
jint vp_fdatasync(VP_JVM, jint fd);
jint vp_fcntl(VP_JVM, jint fd, jint command, jint argument);
jint vp_flock(VP_JVM, jint fd, jint operation);
jint vp_ioctl(VP_JVM, jint fd, jlong request, jlong address);
jint vp_unlink(VP_JVM, jlong path);
jint vp_chmod(VP_JVM, jlong path, jint mode);

/* memory.c */
jlong vp_mmap(VP_JVM, jlong hint, jlong length, jint protection, jint flags, jint fd, jlong offset);
jint vp_munmap(VP_JVM, jlong address, jlong length);
jint vp_madvise(VP_JVM, jlong address, jlong length, jint advice);
jint vp_mincore(VP_JVM, jlong address, jlong length, jlong vector_address);

/* thread.c */
jint vp_sched_yield(VP_JVM);
jint vp_sched_setaffinity(VP_JVM, jint cpu);

#endif
