/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */
#include "constants.h"

#include <linux/netlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include "shim.h"

/* Old headers have only its older name, NETLINK_INET_DIAG. */
#ifndef NETLINK_SOCK_DIAG
#define NETLINK_SOCK_DIAG 4
#endif

/* Longer than every name below. */
#define MAX_NAME_LENGTH 63

typedef struct {
    const char *name;
    jlong value;
} named_value;

#define VALUE(constant) { #constant, (jlong)(constant) }
#define SIZE(type) { "sizeof." #type, (jlong)sizeof(struct type) }
#define OFFSET(type, field) { "offsetof." #type "." #field, (jlong)offsetof(struct type, field) }

/* Searched linearly, since each name is looked up only once per process. */
static const named_value values[] = {
    { "abi.version", VP_ABI_VERSION },

    /* Sockets */
    VALUE(AF_UNIX), VALUE(AF_VSOCK), VALUE(AF_NETLINK), VALUE(SOCK_STREAM), VALUE(SOCK_DGRAM),
    VALUE(SOCK_SEQPACKET), VALUE(SOCK_CLOEXEC), VALUE(SOCK_NONBLOCK), VALUE(SOL_SOCKET), VALUE(SO_ERROR),
    VALUE(SO_TYPE), VALUE(SO_DOMAIN), VALUE(SO_ACCEPTCONN), VALUE(SO_SNDBUF), VALUE(SO_OOBINLINE),
    VALUE(SO_VM_SOCKETS_BUFFER_SIZE), VALUE(SO_VM_SOCKETS_BUFFER_MAX_SIZE), VALUE(VMADDR_CID_ANY),
    VALUE(NETLINK_SOCK_DIAG), VALUE(MSG_DONTWAIT), VALUE(MSG_NOSIGNAL),
    VALUE(MSG_CMSG_CLOEXEC), VALUE(MSG_CTRUNC), VALUE(MSG_TRUNC), VALUE(MSG_PEEK), VALUE(SHUT_RD),
    VALUE(SHUT_WR), VALUE(SHUT_RDWR),

    /* Readiness */
    VALUE(EPOLL_CLOEXEC), VALUE(EPOLL_CTL_ADD), VALUE(EPOLL_CTL_MOD), VALUE(EPOLL_CTL_DEL), VALUE(EPOLLIN),
    VALUE(EPOLLOUT), VALUE(EPOLLERR), VALUE(EPOLLHUP), VALUE(EPOLLRDHUP), VALUE(EPOLLET), VALUE(EFD_CLOEXEC),
    VALUE(EFD_NONBLOCK), VALUE(TFD_CLOEXEC), VALUE(TFD_NONBLOCK),

    /* Files */
    VALUE(O_RDONLY), VALUE(O_WRONLY), VALUE(O_RDWR), VALUE(O_ACCMODE), VALUE(O_NONBLOCK), VALUE(O_APPEND),
    VALUE(O_CLOEXEC), VALUE(O_CREAT), VALUE(O_TRUNC), VALUE(O_DIRECTORY), VALUE(O_PATH), VALUE(O_NOFOLLOW),
    VALUE(O_DIRECT), VALUE(O_SYNC), VALUE(O_DSYNC),
    VALUE(F_GETFL), VALUE(F_SETFL), VALUE(F_GETFD), VALUE(F_DUPFD_CLOEXEC), VALUE(F_SETPIPE_SZ),
    VALUE(LOCK_EX), VALUE(LOCK_NB),
    VALUE(SPLICE_F_NONBLOCK), VALUE(CLOSE_RANGE_UNSHARE), VALUE(FIONREAD), VALUE(RWF_NOWAIT), VALUE(RWF_APPEND),
    VALUE(AT_STATX_DONT_SYNC), VALUE(STATX_BASIC_STATS), VALUE(S_IFMT), VALUE(S_IFREG), VALUE(S_IFDIR),
    VALUE(S_IFIFO), VALUE(S_IFSOCK),

    /* Mounts */
    VALUE(MS_NOSUID), VALUE(MS_NODEV), VALUE(MS_NOEXEC), VALUE(MNT_FORCE), VALUE(MNT_DETACH), VALUE(UMOUNT_NOFOLLOW),

    /* Memory */
    VALUE(PROT_READ), VALUE(PROT_WRITE), VALUE(MAP_SHARED), VALUE(MAP_PRIVATE), VALUE(MAP_ANONYMOUS),
    VALUE(MAP_NORESERVE), VALUE(MADV_DONTNEED), VALUE(MADV_POPULATE_READ),

    /* Layouts */
    SIZE(iovec),
    SIZE(epoll_event), OFFSET(epoll_event, events), OFFSET(epoll_event, data),
    SIZE(sockaddr_un), OFFSET(sockaddr_un, sun_family), OFFSET(sockaddr_un, sun_path),
    SIZE(sockaddr_vm), OFFSET(sockaddr_vm, svm_family), OFFSET(sockaddr_vm, svm_port), OFFSET(sockaddr_vm, svm_cid),
    SIZE(statx), OFFSET(statx, stx_mode), OFFSET(statx, stx_size), OFFSET(statx, stx_ino),
    OFFSET(statx, stx_dev_major), OFFSET(statx, stx_dev_minor), OFFSET(statx, stx_nlink), OFFSET(statx, stx_blocks),
    OFFSET(statx, stx_atime), OFFSET(statx, stx_mtime), OFFSET(statx, stx_ctime), OFFSET(statx_timestamp, tv_sec),
    OFFSET(statx_timestamp, tv_nsec),

    /* Errors */
    VALUE(EPERM), VALUE(ENOENT), VALUE(EINTR), VALUE(EIO), VALUE(ENXIO), VALUE(EBADF), VALUE(EAGAIN), VALUE(ENOMEM),
    VALUE(EACCES), VALUE(EFAULT), VALUE(EEXIST), VALUE(ENODEV), VALUE(EINVAL), VALUE(ENFILE), VALUE(EMFILE),
    VALUE(EFBIG), VALUE(ENOSPC), VALUE(ESPIPE), VALUE(EROFS), VALUE(EPIPE), VALUE(ENAMETOOLONG), VALUE(ENOSYS),
    VALUE(ENOTSOCK), VALUE(EDESTADDRREQ), VALUE(EMSGSIZE), VALUE(EOPNOTSUPP), VALUE(EADDRINUSE),
    VALUE(ECONNABORTED), VALUE(ECONNRESET), VALUE(ENOBUFS), VALUE(ENOTCONN), VALUE(ETIMEDOUT), VALUE(ECONNREFUSED),
    VALUE(EINPROGRESS), VALUE(ETOOMANYREFS), VALUE(EPROTO), VALUE(EBUSY), VALUE(ENOTDIR), VALUE(ENOTTY),
    VALUE(ENONET), VALUE(ENOPROTOOPT), VALUE(ENETDOWN), VALUE(ENETUNREACH), VALUE(EHOSTDOWN), VALUE(EHOSTUNREACH),
};

jlong vp_lookup(const char *name) {
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        if (strcmp(values[i].name, name) == 0) {
            return values[i].value;
        }
    }
    return INT64_MIN;
}

jlong vp_constant(JNIEnv *env, jclass owner __attribute__((unused)), jstring name) {
    char buffer[MAX_NAME_LENGTH + 1];
    if (name == NULL) {
        return INT64_MIN;
    }
    const jsize length = (*env)->GetStringUTFLength(env, name);
    if (length < 0 || length > MAX_NAME_LENGTH) {
        return INT64_MIN;
    }
    /* The region's length is in UTF-16 units, the buffer's in bytes. The JVM does not necessarily append a NUL. */
    (*env)->GetStringUTFRegion(env, name, 0, (*env)->GetStringLength(env, name), buffer);
    buffer[length] = '\0';
    return vp_lookup(buffer);
}

static const JNINativeMethod methods[] = {
    VP_NATIVE("constant", "(Ljava/lang/String;)J", vp_constant),
};

const vp_natives vp_constant_natives = VP_NATIVES(methods);
