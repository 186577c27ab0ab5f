/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "harness.h"

#define DATA 0x8123456789abcdefL

static void should_hand_back_all_64_bits_of_an_events_data(void) {
    struct epoll_event events[4];
    const int epfd = vp_epoll_create1(NO_JVM, EPOLL_CLOEXEC);
    const int fd = vp_eventfd(NO_JVM, 0, EFD_CLOEXEC | EFD_NONBLOCK);
    check_cloexec(epfd);
    check_cloexec(fd);
    CHECK_EQ(0, vp_epoll_ctl(NO_JVM, epfd, EPOLL_CTL_ADD, fd, EPOLLIN, (jlong)DATA));
    CHECK_EQ(0, vp_epoll_wait(NO_JVM, epfd, ADDRESS(events), 4, 0));

    const uint64_t one = 1;
    CHECK_EQ(8, vp_write(NO_JVM, fd, ADDRESS(&one), sizeof(one)));
    CHECK_EQ(1, vp_epoll_wait(NO_JVM, epfd, ADDRESS(events), 4, 1000));
    CHECK_EQ(EPOLLIN, events[0].events);
    CHECK(events[0].data.u64 == DATA);

    CHECK_EQ(0, vp_close(NO_JVM, fd));
    CHECK_EQ(0, vp_close(NO_JVM, epfd));
}

static void should_change_and_forget_what_is_watched(void) {
    struct epoll_event event;
    const int epfd = vp_epoll_create1(NO_JVM, EPOLL_CLOEXEC);
    const int fd = vp_eventfd(NO_JVM, 1, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK_EQ(0, vp_epoll_ctl(NO_JVM, epfd, EPOLL_CTL_ADD, fd, 0, 1));
    CHECK_EQ(-EEXIST, vp_epoll_ctl(NO_JVM, epfd, EPOLL_CTL_ADD, fd, 0, 1));
    CHECK_EQ(0, vp_epoll_wait(NO_JVM, epfd, ADDRESS(&event), 1, 0));

    /* Bit 31, the sign of a Java int. */
    CHECK_EQ(0, vp_epoll_ctl(NO_JVM, epfd, EPOLL_CTL_MOD, fd, (jint)(EPOLLIN | EPOLLET), 2));
    CHECK_EQ(1, vp_epoll_wait(NO_JVM, epfd, ADDRESS(&event), 1, 1000));
    CHECK(event.data.u64 == 2);
    CHECK_EQ(0, vp_epoll_wait(NO_JVM, epfd, ADDRESS(&event), 1, 0));

    CHECK_EQ(0, vp_epoll_ctl(NO_JVM, epfd, EPOLL_CTL_DEL, fd, 0, 0));
    CHECK_EQ(-ENOENT, vp_epoll_ctl(NO_JVM, epfd, EPOLL_CTL_DEL, fd, 0, 0));
    CHECK_EQ(-EINVAL, vp_epoll_wait(NO_JVM, epfd, ADDRESS(&event), 0, 0));
    CHECK_EQ(0, vp_close(NO_JVM, fd));
    CHECK_EQ(0, vp_close(NO_JVM, epfd));
}

static void should_tell_what_is_ready_now(void) {
    int ends[2];
    char byte = 0;
    CHECK_EQ(0, vp_pipe2(NO_JVM, ADDRESS(ends), O_CLOEXEC));
    CHECK_EQ(0, vp_poll(NO_JVM, ends[0], POLLIN));
    CHECK_EQ(POLLOUT, vp_poll(NO_JVM, ends[1], POLLIN | POLLOUT));
    CHECK_EQ(1, vp_write(NO_JVM, ends[1], ADDRESS(&byte), 1));
    CHECK_EQ(POLLIN, vp_poll(NO_JVM, ends[0], POLLIN | POLLOUT));
    CHECK_EQ(0, vp_close(NO_JVM, ends[0]));
    CHECK_EQ(POLLERR, vp_poll(NO_JVM, ends[1], 0));
    CHECK_EQ(0, vp_close(NO_JVM, ends[1]));
    CHECK_EQ(POLLNVAL, vp_poll(NO_JVM, ends[1], POLLIN));
}

static void should_expire_once_after_a_delay(void) {
    struct epoll_event event;
    uint64_t expirations = 0;
    const int epfd = vp_epoll_create1(NO_JVM, EPOLL_CLOEXEC);
    const int fd = vp_timerfd_create(NO_JVM, TFD_CLOEXEC | TFD_NONBLOCK);
    check_cloexec(fd);
    CHECK_EQ(0, vp_epoll_ctl(NO_JVM, epfd, EPOLL_CTL_ADD, fd, EPOLLIN, 1));
    CHECK_EQ(-EINVAL, vp_timerfd_settime(NO_JVM, fd, -1));

    /* More than a second, less than a second, and never. */
    CHECK_EQ(0, vp_timerfd_settime(NO_JVM, fd, 3600000000001));
    CHECK_EQ(0, vp_epoll_wait(NO_JVM, epfd, ADDRESS(&event), 1, 0));
    CHECK_EQ(0, vp_timerfd_settime(NO_JVM, fd, 1));
    CHECK_EQ(1, vp_epoll_wait(NO_JVM, epfd, ADDRESS(&event), 1, 10000));
    CHECK_EQ(8, vp_read(NO_JVM, fd, ADDRESS(&expirations), sizeof(expirations)));
    CHECK_EQ(1, expirations);
    CHECK_EQ(-EAGAIN, vp_read(NO_JVM, fd, ADDRESS(&expirations), sizeof(expirations)));
    CHECK_EQ(0, vp_timerfd_settime(NO_JVM, fd, 0));
    CHECK_EQ(0, vp_epoll_wait(NO_JVM, epfd, ADDRESS(&event), 1, 0));

    CHECK_EQ(0, vp_close(NO_JVM, fd));
    CHECK_EQ(0, vp_close(NO_JVM, epfd));
}

int main(void) {
    static const test_case tests[] = {
        TEST(should_hand_back_all_64_bits_of_an_events_data),
        TEST(should_change_and_forget_what_is_watched),
        TEST(should_tell_what_is_ready_now),
        TEST(should_expire_once_after_a_delay),
    };
    return RUN_TESTS(tests);
}
