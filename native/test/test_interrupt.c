/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"
#include "harness.h"

static int pair[2];
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static socklen_t address_length;

static void write_to_first(void) {
    CHECK_EQ(1, write(pair[0], "x", 1));
}

static void drain_second(void) {
    static char bytes[65536];
    struct pollfd readable = { .fd = pair[1], .events = POLLIN };
    while (poll(&readable, 1, 200) > 0 && read(pair[1], bytes, sizeof(bytes)) > 0) {
        /* until nothing has come for a while */
    }
}

static void connect_once(void) {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_EQ(0, connect(fd, (const struct sockaddr *)&address, address_length));
}

static int listen_on_abstract_name(const char *suffix, int backlog) {
    const int length = snprintf(
        address.sun_path + 1, sizeof(address.sun_path) - 1, "vsockproxy-interrupt-%d-%s", (int)getpid(), suffix);
    address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    const int listener = vp_socket(NO_JVM, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(listener >= 0);
    CHECK_EQ(0, vp_bind(NO_JVM, listener, ADDRESS(&address), (jint)address_length));
    CHECK_EQ(0, vp_listen(NO_JVM, listener, backlog));
    return listener;
}

static void should_go_on_reading_after_a_signal(void) {
    char byte = 0;
    CHECK_EQ(0, vp_socketpair(NO_JVM, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ADDRESS(pair)));
    catch_interrupts();
    const pid_t child = start_interrupter(write_to_first);
    CHECK_EQ(1, vp_read(NO_JVM, pair[1], ADDRESS(&byte), 1));
    CHECK_EQ('x', byte);
    CHECK(interrupts() > 0);
    join_child(child);
    close_both(pair);
}

static void should_go_on_receiving_after_a_signal(void) {
    char byte = 0;
    int32_t control[VP_CONTROL_LENGTH / sizeof(int32_t)];
    CHECK_EQ(0, vp_socketpair(NO_JVM, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ADDRESS(pair)));
    catch_interrupts();
    pid_t child = start_interrupter(write_to_first);
    CHECK_EQ(1, vp_recvmsg(NO_JVM, pair[1], ADDRESS(&byte), 1, MSG_CMSG_CLOEXEC, ADDRESS(control)));
    CHECK_EQ(0, control[0]);
    CHECK(interrupts() > 0);
    join_child(child);

    catch_interrupts();
    child = start_interrupter(write_to_first);
    CHECK_EQ(1, vp_recv(NO_JVM, pair[1], ADDRESS(&byte), 1, 0));
    CHECK(interrupts() > 0);
    join_child(child);
    close_both(pair);
}

static void should_go_on_sending_after_a_signal(void) {
    static char bytes[65536];
    struct iovec piece = { bytes, 1 };
    CHECK_EQ(0, vp_socketpair(NO_JVM, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ADDRESS(pair)));
    while (vp_send(NO_JVM, pair[0], ADDRESS(bytes), sizeof(bytes), MSG_DONTWAIT) > 0) {
        /* until it is full */
    }
    while (vp_send(NO_JVM, pair[0], ADDRESS(bytes), 1, MSG_DONTWAIT) > 0) {
        /* to the last byte */
    }
    catch_interrupts();
    const pid_t child = start_interrupter(drain_second);
    CHECK_EQ(1, vp_sendmsg(NO_JVM, pair[0], ADDRESS(&piece), 1, MSG_NOSIGNAL, 0, 0));
    CHECK(interrupts() > 0);
    join_child(child);
    close_both(pair);
}

static void should_go_on_accepting_after_a_signal(void) {
    const int listener = listen_on_abstract_name("accept", 4);
    catch_interrupts();
    const pid_t child = start_interrupter(connect_once);
    const int fd = vp_accept4(NO_JVM, listener, 0, 0, SOCK_CLOEXEC);
    CHECK(fd >= 0);
    CHECK(interrupts() > 0);
    join_child(child);
    CHECK_EQ(0, vp_close(NO_JVM, fd));
    CHECK_EQ(0, vp_close(NO_JVM, listener));
}

static void should_answer_interrupted_for_a_connect(void) {
    const int listener = listen_on_abstract_name("connect", 0);
    const int first = vp_socket(NO_JVM, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int second = vp_socket(NO_JVM, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(0, vp_connect(NO_JVM, first, ADDRESS(&address), (jint)address_length));
    catch_interrupts();
    const pid_t child = start_interrupter(NULL);
    CHECK_EQ(-EINTR, vp_connect(NO_JVM, second, ADDRESS(&address), (jint)address_length));
    CHECK(interrupts() > 0);
    stop_interrupter(child);
    CHECK_EQ(0, vp_close(NO_JVM, first));
    CHECK_EQ(0, vp_close(NO_JVM, second));
    CHECK_EQ(0, vp_close(NO_JVM, listener));
}

static void should_answer_nothing_ready_for_an_interrupted_wait(void) {
    struct epoll_event event;
    const int epfd = vp_epoll_create1(NO_JVM, EPOLL_CLOEXEC);
    catch_interrupts();
    const pid_t child = start_interrupter(NULL);
    CHECK_EQ(0, vp_epoll_wait(NO_JVM, epfd, ADDRESS(&event), 1, -1));
    CHECK(interrupts() > 0);
    stop_interrupter(child);
    CHECK_EQ(0, vp_close(NO_JVM, epfd));
}

int main(void) {
    static const test_case tests[] = {
        TEST(should_go_on_reading_after_a_signal),
        TEST(should_go_on_receiving_after_a_signal),
        TEST(should_go_on_sending_after_a_signal),
        TEST(should_go_on_accepting_after_a_signal),
        TEST(should_answer_interrupted_for_a_connect),
        TEST(should_answer_nothing_ready_for_an_interrupted_wait),
    };
    return RUN_TESTS(tests);
}
