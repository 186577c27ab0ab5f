/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "constants.h"
#include "control.h"
#include "shim.h"

#define DESCRIPTORS_SPACE CMSG_SPACE(VP_MAX_DESCRIPTORS * sizeof(int))

/*
 * Room for other ancillary data, which would otherwise displace the descriptors. It is requested by options of the socket
 * (SO_PASSCRED, SO_PASSSEC with a label of up to a page, SO_PASSPIDFD, SO_TIMESTAMP), and on a socket that was passed to
 * this process, its owner may have set any of them.
 */
#define OTHER_SPACE 4096

static int descriptor_at(const struct cmsghdr *header, size_t index) {
    int fd;
    memcpy(&fd, CMSG_DATA(header) + index * sizeof(int), sizeof(int));
    return fd;
}

static void close_from(const struct cmsghdr *header, size_t index, size_t count) {
    for (; index < count; index++) {
        const int fd = descriptor_at(header, index);
        /* The kernel writes a negative SCM_PIDFD where it could not make one. */
        if (fd >= 0) {
            close(fd);
        }
    }
}

void vp_list_descriptors(struct msghdr *message, unsigned char *control) {
    size_t listed = 0;
    int32_t flags = message->msg_flags;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_len < CMSG_LEN(0)) {
            continue;
        }
        const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        if (header->cmsg_type == SCM_RIGHTS) {
            const size_t room = VP_MAX_DESCRIPTORS - listed;
            const size_t taken = count < room ? count : room;
            memcpy(
                control + VP_CONTROL_DESCRIPTORS_OFFSET + listed * sizeof(int), CMSG_DATA(header),
                taken * sizeof(int));
            listed += taken;
            if (taken < count) {
                flags |= MSG_CTRUNC;
                close_from(header, taken, count);
            }
        } else if (header->cmsg_type == SCM_PIDFD) {
            close_from(header, 0, count);
        }
    }

    const int32_t count = (int32_t)listed;
    memcpy(control + VP_CONTROL_COUNT_OFFSET, &count, sizeof(count));
    memcpy(control + VP_CONTROL_FLAGS_OFFSET, &flags, sizeof(flags));
}

jint vp_recvmsg(VP_JVM, jint fd, jlong address, jint length, jint flags, jlong control) {
    union {
        struct cmsghdr align;
        unsigned char bytes[DESCRIPTORS_SPACE + OTHER_SPACE];
    } ancillary;
    if (length < 0) {
        return -EINVAL;
    }

    struct iovec piece = { vp_pointer(address), (size_t)length };
    struct msghdr message = {
        .msg_iov = &piece,
        .msg_iovlen = 1,
        .msg_control = ancillary.bytes,
        .msg_controllen = sizeof(ancillary.bytes),
    };
    /* The call may be repeated with the same message: the kernel changes it only on success. */
    const jint result = VP_RETRY_INT(VP_SYSCALL(recvmsg, fd, &message, flags));
    if (result >= 0) {
        vp_list_descriptors(&message, vp_pointer(control));
    }
    return result;
}

jint vp_recvmsg_no_control(VP_JVM, jint fd, jlong address, jint length, jint flags, jlong flags_address) {
    if (length < 0) {
        return -EINVAL;
    }
    struct iovec piece = { vp_pointer(address), (size_t)length };
    struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
    const jint result = VP_RETRY_INT(VP_SYSCALL(recvmsg, fd, &message, flags));
    if (result >= 0) {
        const int32_t received = message.msg_flags;
        memcpy(vp_pointer(flags_address), &received, sizeof(received));
    }
    return result;
}

jint vp_sendmsg(VP_JVM, jint fd, jlong iov, jint iov_count, jint flags, jlong fds_address, jint fd_count) {
    union {
        struct cmsghdr align;
        unsigned char bytes[DESCRIPTORS_SPACE];
    } ancillary;
    if (iov_count < 0 || fd_count < 0 || fd_count > VP_MAX_DESCRIPTORS) {
        return -EINVAL;
    }

    struct msghdr message = { .msg_iov = vp_pointer(iov), .msg_iovlen = (size_t)iov_count };
    if (fd_count > 0) {
        const size_t bytes = (size_t)fd_count * sizeof(int);
        message.msg_control = ancillary.bytes;
        message.msg_controllen = CMSG_SPACE(bytes);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(bytes);
        memcpy(CMSG_DATA(header), vp_pointer(fds_address), bytes);
    }
    return VP_RETRY_INT(VP_SYSCALL(sendmsg, fd, &message, flags));
}

static const JNINativeMethod methods[] = {
    VP_NATIVE("recvmsg", "(IJIIJ)I", vp_recvmsg),
    VP_NATIVE("recvmsgNoControl", "(IJIIJ)I", vp_recvmsg_no_control),
    VP_NATIVE("sendmsg", "(IJIIJI)I", vp_sendmsg),
};

const vp_natives vp_message_natives = VP_NATIVES(methods);
