/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "harness.h"

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif

#define PEEK (MSG_PEEK | MSG_DONTWAIT)

typedef struct {
    int32_t count;
    int32_t flags;
    int32_t fds[VP_MAX_DESCRIPTORS];
} received;

_Static_assert(sizeof(received) == VP_CONTROL_LENGTH, "ControlData.LENGTH");

static void open_pair(int pair[2], int type) {
    CHECK_EQ(0, vp_socketpair(NO_JVM, AF_UNIX, type | SOCK_CLOEXEC, 0, ADDRESS(pair)));
}

static int send_with(int fd, const char *text, size_t length, const int *fds, int count) {
    struct iovec piece = { (void *)(uintptr_t)text, length };
    return vp_sendmsg(NO_JVM, fd, ADDRESS(&piece), 1, MSG_NOSIGNAL, ADDRESS(fds), count);
}

static int receive(int fd, received *control) {
    char bytes[16];
    return vp_recvmsg(NO_JVM, fd, ADDRESS(bytes), sizeof(bytes), MSG_DONTWAIT | MSG_CMSG_CLOEXEC, ADDRESS(control));
}

/* Eventfds that hold their own index, so that their order can be told at the other end. */
static void open_numbered(int *fds, int count) {
    for (int i = 0; i < count; i++) {
        fds[i] = vp_eventfd(NO_JVM, i + 1, EFD_CLOEXEC | EFD_NONBLOCK);
        CHECK(fds[i] >= 0);
    }
}

static void close_all(const int32_t *fds, int count) {
    for (int i = 0; i < count; i++) {
        CHECK_EQ(0, vp_close(NO_JVM, fds[i]));
    }
}

static void check_numbered_and_close(const received *control, int count) {
    CHECK_EQ(count, control->count);
    for (int i = 0; i < count; i++) {
        uint64_t value = 0;
        check_cloexec(control->fds[i]);
        CHECK_EQ(8, vp_read(NO_JVM, control->fds[i], ADDRESS(&value), sizeof(value)));
        CHECK_EQ(i + 1, value);
    }
    close_all(control->fds, count);
}

static void pass_all_over(int type) {
    int pair[2];
    int fds[VP_MAX_DESCRIPTORS];
    received control;
    open_pair(pair, type);
    open_numbered(fds, VP_MAX_DESCRIPTORS);

    CHECK_EQ(1, send_with(pair[0], "x", 1, fds, VP_MAX_DESCRIPTORS));
    CHECK_EQ(1, receive(pair[1], &control));
    CHECK_EQ(0, control.flags & MSG_CTRUNC);
    check_numbered_and_close(&control, VP_MAX_DESCRIPTORS);

    close_all(fds, VP_MAX_DESCRIPTORS);
    close_both(pair);
}

static void should_pass_253_descriptors_in_order_and_cloexec_from_birth(void) {
    pass_all_over(SOCK_STREAM);
    pass_all_over(SOCK_SEQPACKET);
}

static void should_refuse_254_descriptors(void) {
    int pair[2];
    int fds[VP_MAX_DESCRIPTORS + 1];
    open_pair(pair, SOCK_STREAM);
    for (int i = 0; i <= VP_MAX_DESCRIPTORS; i++) {
        fds[i] = pair[0];
    }
    CHECK_EQ(-EINVAL, send_with(pair[0], "x", 1, fds, VP_MAX_DESCRIPTORS + 1));
    CHECK_EQ(-EINVAL, send_with(pair[0], "x", 1, fds, -1));
    close_both(pair);
}

static void should_say_how_many_came_when_none_did(void) {
    int pair[2];
    received control;
    memset(&control, 0x7f, sizeof(control));
    open_pair(pair, SOCK_STREAM);
    CHECK_EQ(2, send_with(pair[0], "ab", 2, NULL, 0));
    CHECK_EQ(2, receive(pair[1], &control));
    CHECK_EQ(0, control.count);
    CHECK_EQ(0, control.flags & (MSG_CTRUNC | MSG_TRUNC));
    close_both(pair);
}

static void should_leave_the_control_data_alone_when_the_call_fails(void) {
    int pair[2];
    received control = { 77, 88, { 99 } };
    open_pair(pair, SOCK_STREAM);
    CHECK_EQ(-EAGAIN, receive(pair[1], &control));
    CHECK_EQ(77, control.count);
    CHECK_EQ(88, control.flags);
    close_both(pair);
}

/* Bytes in front of descriptors are received together with those, not separately. */
static void should_show_bytes_and_that_descriptors_wait_with_them(void) {
    int pair[2];
    char bytes[4];
    int32_t flags = 77;
    received control;
    open_pair(pair, SOCK_STREAM);
    CHECK_EQ(-EAGAIN, vp_recvmsg_no_control(NO_JVM, pair[1], ADDRESS(bytes), 4, PEEK, ADDRESS(&flags)));
    CHECK_EQ(77, flags);
    CHECK_EQ(1, send_with(pair[0], "x", 1, NULL, 0));
    CHECK_EQ(1, vp_recvmsg_no_control(NO_JVM, pair[1], ADDRESS(bytes), 4, PEEK, ADDRESS(&flags)));
    CHECK_EQ('x', bytes[0]);
    CHECK_EQ(0, flags & MSG_CTRUNC);
    CHECK_EQ(1, send_with(pair[0], "y", 1, pair, 2));
    const int before = open_descriptors();
    CHECK_EQ(2, vp_recvmsg_no_control(NO_JVM, pair[1], ADDRESS(bytes), 4, PEEK, ADDRESS(&flags)));
    CHECK_EQ(MSG_CTRUNC, flags & MSG_CTRUNC);
    CHECK_EQ(before, open_descriptors());
    CHECK_EQ(2, receive(pair[1], &control));
    CHECK_EQ(2, control.count);
    close_all(control.fds, 2);
    close_both(pair);
}

static void should_drop_descriptors_without_control_data(void) {
    int pair[2];
    char bytes[4];
    int32_t flags = 0;
    open_pair(pair, SOCK_STREAM);
    CHECK_EQ(1, send_with(pair[0], "x", 1, pair, 2));
    CHECK_EQ(1, vp_recvmsg_no_control(NO_JVM, pair[1], ADDRESS(bytes), 4, 0, ADDRESS(&flags)));
    CHECK_EQ(MSG_CTRUNC, flags & MSG_CTRUNC);
    CHECK_EQ(-EINVAL, vp_recvmsg_no_control(NO_JVM, pair[1], ADDRESS(bytes), -1, 0, ADDRESS(&flags)));
    close_both(pair);
}

/* The kernel writes credentials before descriptors, and a pidfd, a descriptor itself, behind them. */
static void should_have_room_for_all_when_other_control_data_comes_too(void) {
    int pair[2];
    int fds[VP_MAX_DESCRIPTORS];
    const int on = 1;
    received control;
    open_pair(pair, SOCK_STREAM);
    open_numbered(fds, VP_MAX_DESCRIPTORS);
    CHECK_EQ(0, vp_setsockopt(NO_JVM, pair[1], SOL_SOCKET, SO_PASSCRED, ADDRESS(&on), sizeof(on)));
    const int pidfd = vp_setsockopt(NO_JVM, pair[1], SOL_SOCKET, SO_PASSPIDFD, ADDRESS(&on), sizeof(on));
    CHECK(pidfd == 0 || pidfd == -ENOPROTOOPT);

    CHECK_EQ(1, send_with(pair[0], "x", 1, fds, VP_MAX_DESCRIPTORS));
    CHECK_EQ(1, receive(pair[1], &control));
    CHECK_EQ(0, control.flags & MSG_CTRUNC);
    check_numbered_and_close(&control, VP_MAX_DESCRIPTORS);

    close_all(fds, VP_MAX_DESCRIPTORS);
    close_both(pair);
}

static void receive_five_with_three_free(void) {
    int pair[2];
    int fds[5];
    received control;
    open_pair(pair, SOCK_STREAM);
    open_numbered(fds, 5);
    CHECK_EQ(1, send_with(pair[0], "x", 1, fds, 5));

    int limit = 0;
    for (int unused = 0; unused < 3; limit++) {
        unused += fcntl(limit, F_GETFD) == -1;
    }
    const struct rlimit few = { (rlim_t)limit, (rlim_t)limit };
    CHECK_EQ(0, setrlimit(RLIMIT_NOFILE, &few));

    CHECK_EQ(1, receive(pair[1], &control));
    CHECK(control.flags & MSG_CTRUNC);
    check_numbered_and_close(&control, 3);
}

static void should_list_what_came_when_the_process_runs_out_of_descriptors(void) {
    run_in_child(receive_five_with_three_free);
}

int main(void) {
    static const test_case tests[] = {
        TEST(should_pass_253_descriptors_in_order_and_cloexec_from_birth),
        TEST(should_refuse_254_descriptors),
        TEST(should_say_how_many_came_when_none_did),
        TEST(should_leave_the_control_data_alone_when_the_call_fails),
        TEST(should_show_bytes_and_that_descriptors_wait_with_them),
        TEST(should_drop_descriptors_without_control_data),
        TEST(should_have_room_for_all_when_other_control_data_comes_too),
        TEST(should_list_what_came_when_the_process_runs_out_of_descriptors),
    };
    return RUN_TESTS(tests);
}
