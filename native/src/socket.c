/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>

#include "shim.h"

jint vp_socket(VP_JVM, jint domain, jint type, jint protocol) {
    return VP_RETRY_INT(socket(domain, type, protocol));
}

jint vp_socketpair(VP_JVM, jint domain, jint type, jint protocol, jlong pair_address) {
    return VP_RETRY_INT(socketpair(domain, type, protocol, vp_pointer(pair_address)));
}

jint vp_bind(VP_JVM, jint fd, jlong address, jint length) {
    return VP_RETRY_INT(bind(fd, vp_pointer(address), (socklen_t)length));
}

jint vp_listen(VP_JVM, jint fd, jint backlog) {
    return VP_RETRY_INT(listen(fd, backlog));
}

/* Not repeated after EINTR: the attempt goes on in the background, and a second call would answer EALREADY. */
jint vp_connect(VP_JVM, jint fd, jlong address, jint length) {
    return connect(fd, vp_pointer(address), (socklen_t)length) == 0 ? 0 : -errno;
}

jint vp_accept4(VP_JVM, jint fd, jlong address, jlong length_address, jint flags) {
    return VP_RETRY_INT(accept4(fd, vp_pointer(address), vp_pointer(length_address), flags));
}

jint vp_shutdown(VP_JVM, jint fd, jint how) {
    return VP_RETRY_INT(shutdown(fd, how));
}

jint vp_getsockname(VP_JVM, jint fd, jlong address, jlong length_address) {
    return VP_RETRY_INT(getsockname(fd, vp_pointer(address), vp_pointer(length_address)));
}

jint vp_getpeername(VP_JVM, jint fd, jlong address, jlong length_address) {
    return VP_RETRY_INT(getpeername(fd, vp_pointer(address), vp_pointer(length_address)));
}

jint vp_getsockopt(VP_JVM, jint fd, jint level, jint name, jlong value, jlong length_address) {
    return VP_RETRY_INT(getsockopt(fd, level, name, vp_pointer(value), vp_pointer(length_address)));
}

jint vp_setsockopt(VP_JVM, jint fd, jint level, jint name, jlong value, jint length) {
    return VP_RETRY_INT(setsockopt(fd, level, name, vp_pointer(value), (socklen_t)length));
}

/* The kernel takes a size_t and truncates a huge one to 2 GiB instead of refusing it, so a negative length is refused here. */
jint vp_recv(VP_JVM, jint fd, jlong address, jint length, jint flags) {
    if (length < 0) {
        return -EINVAL;
    }
    return VP_RETRY_INT(VP_SYSCALL(recvfrom, fd, vp_pointer(address), (size_t)length, flags, NULL, NULL));
}

jint vp_send(VP_JVM, jint fd, jlong address, jint length, jint flags) {
    if (length < 0) {
        return -EINVAL;
    }
    return VP_RETRY_INT(VP_SYSCALL(sendto, fd, vp_pointer(address), (size_t)length, flags, NULL, 0));
}

static const JNINativeMethod methods[] = {
    VP_NATIVE("socket", "(III)I", vp_socket),
    VP_NATIVE("socketpair", "(IIIJ)I", vp_socketpair),
    VP_NATIVE("bind", "(IJI)I", vp_bind),
    VP_NATIVE("listen", "(II)I", vp_listen),
    VP_NATIVE("connect", "(IJI)I", vp_connect),
    VP_NATIVE("accept4", "(IJJI)I", vp_accept4),
    VP_NATIVE("shutdown", "(II)I", vp_shutdown),
    VP_NATIVE("getsockname", "(IJJ)I", vp_getsockname),
    VP_NATIVE("getpeername", "(IJJ)I", vp_getpeername),
    VP_NATIVE("getsockopt", "(IIIJJ)I", vp_getsockopt),
    VP_NATIVE("setsockopt", "(IIIJI)I", vp_setsockopt),
    VP_NATIVE("recv", "(IJII)I", vp_recv),
    VP_NATIVE("send", "(IJII)I", vp_send),
};

const vp_natives vp_socket_natives = VP_NATIVES(methods);
