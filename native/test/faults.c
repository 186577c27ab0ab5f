/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Preloaded into a guest by LinkFaultsTest: makes its link fail with errors that unix sockets do not have, as AF_VSOCK does
 * when a host falls silent or a transport is removed. Files in the directory that VSOCKPROXY_FAULTS names:
 *
 *     receive    an errno, as text: the next recvmsg on the link fails with it, once
 *     connect    an errno, as text: each connect to the link fails with it as long as the file exists
 *     attempts   gets a line for each connect to the link: its time in milliseconds of the monotonic clock
 *
 * The link is the unix socket called "link". Only the proxy's loop connects to it and reads it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

typedef int connect_call(int fd, const struct sockaddr *address, socklen_t length);
typedef long syscall_call(long number, ...);

static int link_fd = -1;

static int open_named(const char *name, int flags) {
    char path[PATH_MAX];
    const char *directory = getenv("VSOCKPROXY_FAULTS");
    snprintf(path, sizeof path, "%s/%s", directory == NULL ? "" : directory, name);
    return open(path, flags | O_CLOEXEC, 0600);
}

/* The errno in file "name", or 0. */
static int read_fault(const char *name) {
    char text[16] = "";
    const int fd = open_named(name, O_RDWR);
    if (fd < 0) {
        return 0;
    }
    const ssize_t count = read(fd, text, sizeof text - 1);
    if (count > 0 && strcmp(name, "receive") == 0 && ftruncate(fd, 0) != 0) {
        abort();
    }
    close(fd);
    return atoi(text);
}

static void note_attempt(void) {
    struct timespec now;
    const int fd = open_named("attempts", O_WRONLY | O_CREAT | O_APPEND);
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (fd < 0 || dprintf(fd, "%lld\n", (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000) < 0) {
        abort();
    }
    close(fd);
}

EXPORT int connect(int fd, const struct sockaddr *address, socklen_t length);
EXPORT int connect(int fd, const struct sockaddr *address, socklen_t length) {
    static connect_call *next;
    if (next == NULL) {
        next = (connect_call *)dlsym(RTLD_NEXT, "connect");
    }
    const char *path = ((const struct sockaddr_un *)address)->sun_path;
    const char *name = address->sa_family == AF_UNIX ? strrchr(path, '/') : NULL;
    if (name != NULL && strcmp(name, "/link") == 0) {
        note_attempt();
        const int error = read_fault("connect");
        if (error != 0) {
            errno = error;
            return -1;
        }
        link_fd = fd;
    }
    return next(fd, address, length);
}

/* The shim's recvmsg. */
EXPORT long syscall(long number, ...);
EXPORT long syscall(long number, ...) {
    static syscall_call *next;
    if (next == NULL) {
        next = (syscall_call *)dlsym(RTLD_NEXT, "syscall");
    }
    long arguments[6];
    va_list list;
    va_start(list, number);
    for (size_t i = 0; i < 6; i++) {
        arguments[i] = va_arg(list, long);
    }
    va_end(list);
    const int error = number == SYS_recvmsg && (int)arguments[0] == link_fd ? read_fault("receive") : 0;
    if (error != 0) {
        errno = error;
        return -1;
    }
    return next(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}
