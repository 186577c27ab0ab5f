/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Measures what MSG_ZEROCOPY gains on an AF_VSOCK stream (Linux 6.7 and later), for docs/performance.md. To be run only in a
 * virtual machine of vm/pair's, whose host has the loopback:
 *
 *     cc -O2 -o /tmp/zerocopy vm/zerocopy.c
 *     vm/pair --kernel linux-image-6.12-amd64 /tmp/zerocopy
 *
 * One process sends to another on CID 1, for two seconds with each length of a send, with the flag and without it in turns.
 * Prints MiB/s, and the sender's processor time per MiB.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
/* After time.h, because it uses struct timespec without declaring it. */
#include <linux/errqueue.h>
#include <linux/vm_sockets.h>

#define MIB (1 << 20)
#define ROUNDS 3
#define SECONDS 2
/* As large as a session's outbound ring: bytes may be overwritten once the kernel no longer needs them. */
#define RING_LENGTH ((size_t)4 << 20)

static const size_t lengths[] = {16 << 10, 64 << 10, 256 << 10, 1 << 20};
static const int length_count = sizeof lengths / sizeof *lengths;
static const struct sockaddr_vm address = {
    .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_LOCAL, .svm_port = 9950};

/* The sends that the kernel has reported as completed, and how many of those it has copied after all. */
static long completed;
static long copied;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double processor_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int open_socket(void) {
    const unsigned long long length = 2 * MIB;
    const int fd = socket(AF_VSOCK, SOCK_STREAM, 0);
    if (fd < 0 || setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_MAX_SIZE, &length, sizeof length) != 0
        || setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &length, sizeof length) != 0) {
        fail("socket");
    }
    return fd;
}

static void receive_all(int listening) {
    char *bytes = malloc(MIB);
    for (int i = 0; i < ROUNDS * length_count * 2; i++) {
        const int fd = accept(listening, NULL, NULL);
        if (fd < 0) {
            fail("accept");
        }
        while (recv(fd, bytes, MIB, 0) > 0) {
        }
        close(fd);
    }
    exit(0);
}

/* Waits a while for the kernel to report a completed send; false when it does not. */
static bool await_completion(int fd) {
    char control[256];
    struct pollfd ready = {.fd = fd};
    struct msghdr message = {.msg_control = control, .msg_controllen = sizeof control};
    if (poll(&ready, 1, 1000) == 0) {
        return false;
    }
    while (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0) {
        const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        const struct sock_extended_err *range = (const void *)CMSG_DATA(header);
        const long count = range->ee_data - range->ee_info + 1;
        completed += count;
        if ((range->ee_code & SO_EE_CODE_ZEROCOPY_COPIED) != 0) {
            copied += count;
        }
        message.msg_controllen = sizeof control;
    }
    return true;
}

static void measure(size_t length, bool zero_copy) {
    const int one = 1;
    const int fd = open_socket();
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0
        || (zero_copy && setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof one) != 0)) {
        fail("connect, SO_ZEROCOPY");
    }
    char *ring = mmap(NULL, RING_LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(ring, 'x', RING_LENGTH);
    long sends = 0;
    size_t sent = 0;
    completed = 0;
    copied = 0;
    const double processor_start = processor_seconds();
    const double start = seconds();
    while (seconds() - start < SECONDS) {
        const size_t offset = sent % RING_LENGTH;
        const ssize_t count = send(fd, ring + offset, length - offset % length, zero_copy ? MSG_ZEROCOPY : 0);
        if (count > 0) {
            sends++;
            sent += (size_t)count;
        } else if (!zero_copy || (errno != ENOBUFS && errno != ENOMEM)) {
            fail("send");
        }
        /* Too many sends not yet completed for the kernel, or too many bytes for the ring. */
        const bool refused = count < 0;
        while (zero_copy && (refused || (sends - completed) * (long)length >= (long)RING_LENGTH)) {
            if (!await_completion(fd) || refused) {
                break;
            }
        }
    }
    while (zero_copy && completed < sends && await_completion(fd)) {
    }
    const double mib = (double)sent / MIB;
    printf("%8zu B, %-12s %5.0f MiB/s, %6.2f ms for a MiB", length, zero_copy ? "MSG_ZEROCOPY" : "copied",
        mib / (seconds() - start), (processor_seconds() - processor_start) / mib * 1e3);
    if (zero_copy) {
        printf(", %2.0f %% copied all the same", 100.0 * (double)copied / (double)completed);
    }
    printf("\n");
    fflush(stdout);
    munmap(ring, RING_LENGTH);
    close(fd);
}

int main(void) {
    if (getenv("VSOCKPROXY_VM") == NULL) {
        fprintf(stderr, "zerocopy: not running in a machine started by vm/pair\n");
        return 2;
    }
    const int listening = open_socket();
    if (bind(listening, (const struct sockaddr *)&address, sizeof address) != 0 || listen(listening, 8) != 0) {
        fail("listen");
    }
    if (fork() == 0) {
        receive_all(listening);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < length_count; i++) {
            measure(lengths[i], false);
            measure(lengths[i], true);
        }
    }
    return 0;
}
