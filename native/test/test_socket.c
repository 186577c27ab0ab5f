/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"
#include "harness.h"

/* A unique abstract name, which leaves nothing on disk. */
static socklen_t name_address(struct sockaddr_un *address) {
    static int number;
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    const int length = snprintf(
        address->sun_path + 1, sizeof(address->sun_path) - 1, "vsockproxy-test-%d-%d", (int)getpid(), number++);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

static int stream_socket(void) {
    const int fd = vp_socket(NO_JVM, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(fd >= 0);
    check_cloexec(fd);
    return fd;
}

static int connect_to(int fd, const struct sockaddr_un *address, socklen_t length) {
    return vp_connect(NO_JVM, fd, ADDRESS(address), (jint)length);
}

static int int_option(int fd, int name) {
    int value = -1;
    socklen_t length = sizeof(value);
    CHECK_EQ(0, vp_getsockopt(NO_JVM, fd, SOL_SOCKET, name, ADDRESS(&value), ADDRESS(&length)));
    CHECK_EQ(sizeof(value), length);
    return value;
}

static void should_accept_what_connected(void) {
    struct sockaddr_un address;
    struct sockaddr_un found;
    const socklen_t length = name_address(&address);
    const int listener = stream_socket();
    CHECK_EQ(0, int_option(listener, SO_ACCEPTCONN));
    CHECK_EQ(0, vp_bind(NO_JVM, listener, ADDRESS(&address), (jint)length));
    CHECK_EQ(0, vp_listen(NO_JVM, listener, 4));
    CHECK_EQ(1, int_option(listener, SO_ACCEPTCONN));
    CHECK_EQ(-EAGAIN, vp_accept4(NO_JVM, listener, 0, 0, SOCK_CLOEXEC));

    const int client = stream_socket();
    CHECK_EQ(0, connect_to(client, &address, length));
    const int server = vp_accept4(NO_JVM, listener, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
    check_cloexec(server);

    socklen_t found_length = sizeof(found);
    CHECK_EQ(0, vp_getpeername(NO_JVM, client, ADDRESS(&found), ADDRESS(&found_length)));
    CHECK_EQ(length, found_length);
    CHECK(memcmp(&address, &found, length) == 0);
    found_length = sizeof(found);
    CHECK_EQ(0, vp_getsockname(NO_JVM, server, ADDRESS(&found), ADDRESS(&found_length)));
    CHECK_EQ(length, found_length);

    char byte = 0;
    CHECK_EQ(1, vp_send(NO_JVM, client, ADDRESS("x"), 1, MSG_NOSIGNAL));
    CHECK_EQ(1, vp_recv(NO_JVM, server, ADDRESS(&byte), 1, 0));
    CHECK_EQ('x', byte);
    CHECK_EQ(-EAGAIN, vp_recv(NO_JVM, server, ADDRESS(&byte), 1, 0));
    CHECK_EQ(0, vp_shutdown(NO_JVM, client, SHUT_WR));
    CHECK_EQ(0, vp_recv(NO_JVM, server, ADDRESS(&byte), 1, 0));
    CHECK_EQ(0, vp_close(NO_JVM, server));
    CHECK_EQ(-EPIPE, vp_send(NO_JVM, client, ADDRESS("x"), 1, MSG_NOSIGNAL));

    CHECK_EQ(0, vp_close(NO_JVM, client));
    CHECK_EQ(0, vp_close(NO_JVM, listener));
}

static void should_answer_refused_for_a_socket_that_nobody_listens_on(void) {
    struct sockaddr_un address;
    const socklen_t length = name_address(&address);
    const int bound = stream_socket();
    const int client = stream_socket();
    CHECK_EQ(0, vp_bind(NO_JVM, bound, ADDRESS(&address), (jint)length));
    CHECK_EQ(-ECONNREFUSED, connect_to(client, &address, length));
    CHECK_EQ(0, vp_close(NO_JVM, bound));
    CHECK_EQ(0, vp_close(NO_JVM, client));
}

static void should_answer_no_entry_for_a_path_that_does_not_exist(void) {
    const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/nonexistent/vsockproxy.sock" };
    const int client = stream_socket();
    CHECK_EQ(-ENOENT, connect_to(client, &address, sizeof(address)));
    CHECK_EQ(0, vp_close(NO_JVM, client));
}

/* AF_UNIX never answers EINPROGRESS: with the backlog full, the attempt is over. */
static void should_answer_again_for_a_full_backlog(void) {
    struct sockaddr_un address;
    const socklen_t length = name_address(&address);
    const int listener = stream_socket();
    int clients[8];
    int connected = 0;
    CHECK_EQ(0, vp_bind(NO_JVM, listener, ADDRESS(&address), (jint)length));
    CHECK_EQ(0, vp_listen(NO_JVM, listener, 1));
    int result = 0;
    while (result == 0 && connected < 8) {
        clients[connected] = stream_socket();
        result = connect_to(clients[connected++], &address, length);
    }
    CHECK_EQ(-EAGAIN, result);
    CHECK(connected > 1);
    while (connected > 0) {
        CHECK_EQ(0, vp_close(NO_JVM, clients[--connected]));
    }
    CHECK_EQ(0, vp_close(NO_JVM, listener));
}

static void should_keep_packet_boundaries_and_an_empty_packet(void) {
    int pair[2];
    char bytes[3];
    int32_t control[VP_CONTROL_LENGTH / sizeof(int32_t)];
    CHECK_EQ(0, vp_socketpair(NO_JVM, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ADDRESS(pair)));
    check_cloexec(pair[0]);
    check_cloexec(pair[1]);

    struct iovec pieces[2] = { { (void *)(uintptr_t)"ab", 2 }, { (void *)(uintptr_t)"c", 1 } };
    CHECK_EQ(3, vp_sendmsg(NO_JVM, pair[0], ADDRESS(pieces), 2, MSG_NOSIGNAL, 0, 0));
    CHECK_EQ(0, vp_send(NO_JVM, pair[0], ADDRESS(bytes), 0, MSG_NOSIGNAL));
    CHECK_EQ(5, vp_send(NO_JVM, pair[0], ADDRESS("defgh"), 5, MSG_NOSIGNAL));

    CHECK_EQ(3, vp_recvmsg(NO_JVM, pair[1], ADDRESS(bytes), sizeof(bytes), MSG_CMSG_CLOEXEC, ADDRESS(control)));
    CHECK(memcmp("abc", bytes, 3) == 0);
    CHECK_EQ(0, control[1] & MSG_TRUNC);
    CHECK_EQ(0, vp_recv(NO_JVM, pair[1], ADDRESS(bytes), sizeof(bytes), 0));
    CHECK_EQ(3, vp_recvmsg(NO_JVM, pair[1], ADDRESS(bytes), sizeof(bytes), MSG_CMSG_CLOEXEC, ADDRESS(control)));
    CHECK(control[1] & MSG_TRUNC);
    CHECK_EQ(-EAGAIN, vp_recv(NO_JVM, pair[1], ADDRESS(bytes), sizeof(bytes), 0));
    close_both(pair);
}

static void should_refuse_negative_lengths(void) {
    int pair[2];
    char byte;
    struct iovec piece = { &byte, 1 };
    CHECK_EQ(0, vp_socketpair(NO_JVM, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ADDRESS(pair)));
    CHECK_EQ(1, vp_send(NO_JVM, pair[0], ADDRESS("x"), 1, 0));
    CHECK_EQ(-EINVAL, vp_recv(NO_JVM, pair[1], ADDRESS(&byte), -1, 0));
    CHECK_EQ(-EINVAL, vp_recvmsg(NO_JVM, pair[1], ADDRESS(&byte), -1, 0, 0));
    CHECK_EQ(-EINVAL, vp_send(NO_JVM, pair[0], ADDRESS(&byte), -1, 0));
    CHECK_EQ(-EINVAL, vp_sendmsg(NO_JVM, pair[0], ADDRESS(&piece), -1, 0, 0, 0));
    close_both(pair);
}

static void should_read_and_set_socket_options(void) {
    const int fd = stream_socket();
    const int size = 65536;
    CHECK_EQ(SOCK_STREAM, int_option(fd, SO_TYPE));
    CHECK_EQ(AF_UNIX, int_option(fd, SO_DOMAIN));
    CHECK_EQ(0, int_option(fd, SO_ERROR));
    CHECK_EQ(0, vp_setsockopt(NO_JVM, fd, SOL_SOCKET, SO_SNDBUF, ADDRESS(&size), sizeof(size)));
    /* The kernel keeps twice what is asked for, to have room for its own bookkeeping. */
    CHECK_EQ(2 * size, int_option(fd, SO_SNDBUF));
    CHECK_EQ(-EINVAL, vp_setsockopt(NO_JVM, fd, SOL_SOCKET, SO_SNDBUF, ADDRESS(&size), -1));
    CHECK_EQ(0, vp_close(NO_JVM, fd));
}

static void should_answer_bad_descriptor_after_close(void) {
    const int fd = stream_socket();
    CHECK_EQ(0, vp_close(NO_JVM, fd));
    CHECK_EQ(-EBADF, vp_close(NO_JVM, fd));
    CHECK_EQ(-EBADF, vp_listen(NO_JVM, fd, 1));
    CHECK_EQ(-EBADF, vp_shutdown(NO_JVM, fd, SHUT_RDWR));
}

int main(void) {
    static const test_case tests[] = {
        TEST(should_accept_what_connected),
        TEST(should_answer_refused_for_a_socket_that_nobody_listens_on),
        TEST(should_answer_no_entry_for_a_path_that_does_not_exist),
        TEST(should_answer_again_for_a_full_backlog),
        TEST(should_keep_packet_boundaries_and_an_empty_packet),
        TEST(should_refuse_negative_lengths),
        TEST(should_read_and_set_socket_options),
        TEST(should_answer_bad_descriptor_after_close),
    };
    return RUN_TESTS(tests);
}
