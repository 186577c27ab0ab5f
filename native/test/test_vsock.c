/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */

/*
 * How AF_VSOCK behaves, on its loopback: what the engine relies on, and where it differs from AF_UNIX. Runs only in a
 * virtual machine that the tests have started: elsewhere AF_VSOCK may lead to a machine that has nothing to do with them.
 */
#include "constants.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "harness.h"

#define LOCAL_CID 1
#define NOBODYS_CID 4242
#define NOBODYS_PORT 19999
#define TIMEOUT_MS 20000
#define DEFAULT_BUFFER (256 * 1024)
#define LARGE_BUFFER (2 << 20)

static struct sockaddr_vm address_of(unsigned int cid, unsigned int port) {
    struct sockaddr_vm address;
    memset(&address, 0, sizeof(address));
    address.svm_family = AF_VSOCK;
    address.svm_cid = cid;
    address.svm_port = port;
    return address;
}

static int stream_socket(int flags) {
    const int fd = vp_socket(NO_JVM, AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    CHECK(fd >= 0);
    check_cloexec(fd);
    return fd;
}

static struct sockaddr_vm name_of(int fd) {
    struct sockaddr_vm address;
    socklen_t length = sizeof(address);
    CHECK_EQ(0, vp_getsockname(NO_JVM, fd, ADDRESS(&address), ADDRESS(&length)));
    CHECK_EQ(sizeof(address), length);
    return address;
}

/* Listens on a port that the kernel chooses. */
static int listening_socket(void) {
    const int fd = stream_socket(SOCK_NONBLOCK);
    const struct sockaddr_vm any = address_of(VMADDR_CID_ANY, VMADDR_PORT_ANY);
    CHECK_EQ(0, vp_bind(NO_JVM, fd, ADDRESS(&any), sizeof(any)));
    CHECK_EQ(0, vp_listen(NO_JVM, fd, 8));
    return fd;
}

static int connect_to(int fd, unsigned int cid, unsigned int port) {
    const struct sockaddr_vm address = address_of(cid, port);
    return vp_connect(NO_JVM, fd, ADDRESS(&address), sizeof(address));
}

/* Waits for any of the events, and returns those that have occurred. */
static uint32_t await(int fd, uint32_t events) {
    struct epoll_event event;
    const int epoll = vp_epoll_create1(NO_JVM, EPOLL_CLOEXEC);
    CHECK(epoll >= 0);
    CHECK_EQ(0, vp_epoll_ctl(NO_JVM, epoll, EPOLL_CTL_ADD, fd, (jint)events, 0));
    CHECK_EQ(1, vp_epoll_wait(NO_JVM, epoll, ADDRESS(&event), 1, TIMEOUT_MS));
    CHECK_EQ(0, vp_close(NO_JVM, epoll));
    return event.events;
}

static int error_of(int fd) {
    int error = -1;
    socklen_t length = sizeof(error);
    CHECK_EQ(0, vp_getsockopt(NO_JVM, fd, SOL_SOCKET, SO_ERROR, ADDRESS(&error), ADDRESS(&length)));
    return error;
}

/* A connected pair, both nonblocking: the end that connected, and the one that was accepted. */
static void connected_pair(int pair[2]) {
    const int listener = listening_socket();
    pair[0] = stream_socket(SOCK_NONBLOCK);
    const int result = connect_to(pair[0], LOCAL_CID, name_of(listener).svm_port);
    CHECK(result == 0 || result == -EINPROGRESS);
    await(listener, EPOLLIN);
    pair[1] = vp_accept4(NO_JVM, listener, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
    check_cloexec(pair[1]);
    await(pair[0], EPOLLOUT);
    CHECK_EQ(0, error_of(pair[0]));
    CHECK_EQ(0, vp_close(NO_JVM, listener));
}

static unsigned long long buffer_option(int fd, int name) {
    unsigned long long value = 0;
    socklen_t length = sizeof(value);
    CHECK_EQ(0, vp_getsockopt(NO_JVM, fd, AF_VSOCK, name, ADDRESS(&value), ADDRESS(&length)));
    CHECK_EQ(sizeof(value), length);
    return value;
}

static void set_buffer_option(int fd, int name, unsigned long long value) {
    CHECK_EQ(0, vp_setsockopt(NO_JVM, fd, AF_VSOCK, name, ADDRESS(&value), sizeof(value)));
}

/* Receives length bytes; fails the test when they do not arrive. */
static void receive_fully(int fd, char *bytes, int length) {
    for (int done = 0; done < length;) {
        await(fd, EPOLLIN);
        const int received = vp_recv(NO_JVM, fd, ADDRESS(bytes + done), length - done, 0);
        CHECK(received > 0);
        done += received;
    }
}

static void expect_end(int fd) {
    char byte;
    await(fd, EPOLLIN | EPOLLRDHUP);
    CHECK_EQ(0, vp_recv(NO_JVM, fd, ADDRESS(&byte), 1, 0));
}

/* Sends as much as there is room for. */
static int fill(int fd) {
    static char bytes[64 * 1024];
    int total = 0;
    int sent;
    while ((sent = vp_send(NO_JVM, fd, ADDRESS(bytes), sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL)) > 0) {
        total += sent;
    }
    CHECK_EQ(-EAGAIN, sent);
    return total;
}

static void should_carry_bytes_both_ways(void) {
    int pair[2];
    char bytes[8];
    connected_pair(pair);
    CHECK_EQ(4, vp_send(NO_JVM, pair[0], ADDRESS("ping"), 4, MSG_NOSIGNAL));
    receive_fully(pair[1], bytes, 4);
    CHECK(memcmp("ping", bytes, 4) == 0);
    CHECK_EQ(4, vp_send(NO_JVM, pair[1], ADDRESS("pong"), 4, MSG_NOSIGNAL));
    receive_fully(pair[0], bytes, 4);
    CHECK(memcmp("pong", bytes, 4) == 0);
    CHECK_EQ(-EAGAIN, vp_recv(NO_JVM, pair[0], ADDRESS(bytes), 1, 0));
    close_both(pair);
}

static void should_say_who_the_other_end_is(void) {
    int pair[2];
    struct sockaddr_vm peer;
    socklen_t length = sizeof(peer);
    connected_pair(pair);
    CHECK_EQ(0, vp_getpeername(NO_JVM, pair[1], ADDRESS(&peer), ADDRESS(&length)));
    CHECK_EQ(AF_VSOCK, peer.svm_family);
    CHECK_EQ(LOCAL_CID, peer.svm_cid);
    CHECK_EQ(name_of(pair[0]).svm_port, peer.svm_port);
    close_both(pair);
}

static void should_answer_in_progress_and_then_become_writable(void) {
    const int listener = listening_socket();
    const int client = stream_socket(SOCK_NONBLOCK);
    CHECK_EQ(-EINPROGRESS, connect_to(client, LOCAL_CID, name_of(listener).svm_port));
    CHECK(await(client, EPOLLOUT) & EPOLLOUT);
    CHECK_EQ(0, error_of(client));
    CHECK_EQ(-EISCONN, connect_to(client, LOCAL_CID, name_of(listener).svm_port));
    CHECK_EQ(0, vp_close(NO_JVM, client));
    CHECK_EQ(0, vp_close(NO_JVM, listener));
}

/* Not ECONNREFUSED as for other sockets. */
static void should_be_reset_where_nobody_listens(void) {
    const int blocking = stream_socket(0);
    CHECK_EQ(-ECONNRESET, connect_to(blocking, LOCAL_CID, NOBODYS_PORT));
    CHECK_EQ(0, vp_close(NO_JVM, blocking));

    const int client = stream_socket(SOCK_NONBLOCK);
    CHECK_EQ(-EINPROGRESS, connect_to(client, LOCAL_CID, NOBODYS_PORT));
    CHECK(await(client, EPOLLOUT) & EPOLLERR);
    CHECK_EQ(ECONNRESET, error_of(client));
    CHECK_EQ(0, vp_close(NO_JVM, client));
}

/* There is only the loopback's transport. */
static void should_have_no_device_for_another_cid(void) {
    const int client = stream_socket(SOCK_NONBLOCK);
    CHECK_EQ(-ENODEV, connect_to(client, NOBODYS_CID, NOBODYS_PORT));
    CHECK_EQ(0, vp_close(NO_JVM, client));
}

/* Without a guest's transport, this machine is the host, and CID 2 is the machine itself. */
static void should_reach_itself_by_the_hosts_cid(void) {
    const int listener = listening_socket();
    const int client = stream_socket(0);
    CHECK_EQ(0, connect_to(client, VMADDR_CID_HOST, name_of(listener).svm_port));
    CHECK_EQ(0, vp_close(NO_JVM, client));
    CHECK_EQ(0, vp_close(NO_JVM, listener));
}

static void should_refuse_a_port_that_is_taken(void) {
    const int first = listening_socket();
    const int second = stream_socket(SOCK_NONBLOCK);
    const struct sockaddr_vm address = address_of(VMADDR_CID_ANY, name_of(first).svm_port);
    CHECK_EQ(-EADDRINUSE, vp_bind(NO_JVM, second, ADDRESS(&address), sizeof(address)));
    CHECK_EQ(0, vp_close(NO_JVM, first));
    /* Nothing lingers. */
    CHECK_EQ(0, vp_bind(NO_JVM, second, ADDRESS(&address), sizeof(address)));
    CHECK_EQ(0, vp_close(NO_JVM, second));
}

static void should_end_one_direction_alone(void) {
    int pair[2];
    char bytes[8];
    connected_pair(pair);
    CHECK_EQ(4, vp_send(NO_JVM, pair[0], ADDRESS("last"), 4, MSG_NOSIGNAL));
    CHECK_EQ(0, vp_shutdown(NO_JVM, pair[0], SHUT_WR));
    CHECK_EQ(-EPIPE, vp_send(NO_JVM, pair[0], ADDRESS("more"), 4, MSG_NOSIGNAL));
    receive_fully(pair[1], bytes, 4);
    CHECK(memcmp("last", bytes, 4) == 0);
    expect_end(pair[1]);
    CHECK_EQ(6, vp_send(NO_JVM, pair[1], ADDRESS("answer"), 6, MSG_NOSIGNAL));
    receive_fully(pair[0], bytes, 6);
    CHECK(memcmp("answer", bytes, 6) == 0);
    close_both(pair);
}

/* As on AF_UNIX, and unlike TCP: what was sent before a close arrives. */
static void should_deliver_what_was_sent_before_a_close(void) {
    static char bytes[100 * 1000];
    int pair[2];
    connected_pair(pair);
    memset(bytes, 'x', sizeof(bytes));
    CHECK_EQ(sizeof(bytes), vp_send(NO_JVM, pair[0], ADDRESS(bytes), sizeof(bytes), MSG_NOSIGNAL));
    CHECK_EQ(0, vp_shutdown(NO_JVM, pair[0], SHUT_RDWR));
    CHECK_EQ(0, vp_close(NO_JVM, pair[0]));
    memset(bytes, 0, sizeof(bytes));
    receive_fully(pair[1], bytes, sizeof(bytes));
    CHECK_EQ('x', bytes[sizeof(bytes) - 1]);
    expect_end(pair[1]);
    CHECK_EQ(0, vp_close(NO_JVM, pair[1]));
}

static void should_show_that_the_other_end_has_gone(void) {
    int pair[2];
    connected_pair(pair);
    CHECK_EQ(0, vp_close(NO_JVM, pair[1]));
    CHECK(await(pair[0], EPOLLRDHUP) & EPOLLRDHUP);
    expect_end(pair[0]);
    CHECK_EQ(-EPIPE, vp_send(NO_JVM, pair[0], ADDRESS("x"), 1, MSG_NOSIGNAL));
    CHECK_EQ(0, vp_close(NO_JVM, pair[0]));
}

/* The other end closes before it has read everything: this one gets an end of file or a reset, no bytes, and does not hang. */
static void should_end_when_the_other_end_closes_with_bytes_unread(void) {
    int pair[2];
    char byte;
    connected_pair(pair);
    CHECK_EQ(6, vp_send(NO_JVM, pair[0], ADDRESS("unread"), 6, MSG_NOSIGNAL));
    await(pair[1], EPOLLIN);
    CHECK_EQ(0, vp_close(NO_JVM, pair[1]));
    await(pair[0], EPOLLIN | EPOLLRDHUP);
    const int received = vp_recv(NO_JVM, pair[0], ADDRESS(&byte), 1, 0);
    printf("  recv after a close with bytes unread: %d\n", received);
    CHECK(received == 0 || received == -ECONNRESET);
    CHECK_EQ(-EPIPE, vp_send(NO_JVM, pair[0], ADDRESS("x"), 1, MSG_NOSIGNAL));
    CHECK_EQ(0, vp_close(NO_JVM, pair[0]));
}

static void should_clamp_the_buffer_to_its_maximum_without_a_word(void) {
    const int fd = stream_socket(0);
    CHECK_EQ(DEFAULT_BUFFER, buffer_option(fd, SO_VM_SOCKETS_BUFFER_SIZE));
    CHECK_EQ(DEFAULT_BUFFER, buffer_option(fd, SO_VM_SOCKETS_BUFFER_MAX_SIZE));
    set_buffer_option(fd, SO_VM_SOCKETS_BUFFER_SIZE, LARGE_BUFFER);
    CHECK_EQ(DEFAULT_BUFFER, buffer_option(fd, SO_VM_SOCKETS_BUFFER_SIZE));
    set_buffer_option(fd, SO_VM_SOCKETS_BUFFER_MAX_SIZE, LARGE_BUFFER);
    set_buffer_option(fd, SO_VM_SOCKETS_BUFFER_SIZE, LARGE_BUFFER);
    CHECK_EQ(LARGE_BUFFER, buffer_option(fd, SO_VM_SOCKETS_BUFFER_SIZE));
    CHECK_EQ(0, vp_close(NO_JVM, fd));
}

/* An accepted socket inherits the listening one's buffer size. Newer kernels also limit a sender by its own. */
static void should_take_as_much_as_both_buffers_are_large(void) {
    int pair[2];
    const int listener = listening_socket();
    pair[0] = stream_socket(0);
    const int both[2] = { listener, pair[0] };
    for (int i = 0; i < 2; i++) {
        set_buffer_option(both[i], SO_VM_SOCKETS_BUFFER_MAX_SIZE, LARGE_BUFFER);
        set_buffer_option(both[i], SO_VM_SOCKETS_BUFFER_SIZE, LARGE_BUFFER);
    }
    CHECK_EQ(0, connect_to(pair[0], LOCAL_CID, name_of(listener).svm_port));
    await(listener, EPOLLIN);
    pair[1] = vp_accept4(NO_JVM, listener, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
    CHECK_EQ(LARGE_BUFFER, buffer_option(pair[1], SO_VM_SOCKETS_BUFFER_SIZE));
    CHECK_EQ(LARGE_BUFFER, fill(pair[0]));
    CHECK_EQ(LARGE_BUFFER, fill(pair[1]));
    close_both(pair);
    CHECK_EQ(0, vp_close(NO_JVM, listener));
}

static void should_send_in_part_and_become_writable_again(void) {
    static char bytes[3 * DEFAULT_BUFFER];
    int pair[2];
    connected_pair(pair);
    const int sent = vp_send(NO_JVM, pair[0], ADDRESS(bytes), sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
    CHECK_EQ(DEFAULT_BUFFER, sent);
    CHECK_EQ(-EAGAIN, vp_send(NO_JVM, pair[0], ADDRESS(bytes), 1, MSG_DONTWAIT | MSG_NOSIGNAL));
    receive_fully(pair[1], bytes, sent);
    CHECK(await(pair[0], EPOLLOUT) & EPOLLOUT);
    CHECK(vp_send(NO_JVM, pair[0], ADDRESS(bytes), 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1);
    close_both(pair);
}

/* AF_UNIX answers EFAULT; a caller that sends from mapped files must treat either as "the file was truncated". */
static void should_report_memory_that_cannot_be_read(void) {
    const long page = sysconf(_SC_PAGESIZE);
    const int file = memfd_create("cut", MFD_CLOEXEC);
    int pair[2];
    CHECK_EQ(0, vp_ftruncate(NO_JVM, file, 2 * page));
    const jlong mapped = vp_mmap(NO_JVM, 0, 2 * page, PROT_READ, MAP_SHARED, file, 0);
    CHECK(mapped > 0);
    CHECK_EQ(0, vp_ftruncate(NO_JVM, file, page));
    connected_pair(pair);
    const int result = vp_send(NO_JVM, pair[0], mapped, (jint)(2 * page), MSG_NOSIGNAL);
    printf("  send of memory behind a file's end: %d\n", result);
    CHECK(result == -EFAULT || result == -ENOMEM || result == page);
    const int after = vp_send(NO_JVM, pair[0], mapped + page, (jint)page, MSG_NOSIGNAL);
    printf("  send of nothing but such memory: %d\n", after);
    CHECK(after == -EFAULT || after == -ENOMEM);
    /* The connection still works. */
    CHECK_EQ(1, vp_send(NO_JVM, pair[0], ADDRESS("x"), 1, MSG_NOSIGNAL));
    close_both(pair);
    CHECK_EQ(0, vp_munmap(NO_JVM, mapped, 2 * page));
    CHECK_EQ(0, vp_close(NO_JVM, file));
}

/* The kernel neither carries descriptors nor refuses them, so they must not be sent. */
static void should_lose_descriptors_without_a_word(void) {
    int pair[2];
    char byte;
    int32_t control[VP_CONTROL_LENGTH / sizeof(int32_t)];
    const int passed = STDIN_FILENO;
    struct iovec piece = { (void *)(uintptr_t)"x", 1 };
    connected_pair(pair);
    const int sent = vp_sendmsg(NO_JVM, pair[0], ADDRESS(&piece), 1, MSG_NOSIGNAL, ADDRESS(&passed), 1);
    printf("  sendmsg with a descriptor: %d\n", sent);
    if (sent == 1) {
        await(pair[1], EPOLLIN);
        CHECK_EQ(1, vp_recvmsg(NO_JVM, pair[1], ADDRESS(&byte), 1, MSG_CMSG_CLOEXEC, ADDRESS(control)));
        CHECK_EQ(0, control[0]);
    }
    close_both(pair);
}

int main(void) {
    static const test_case tests[] = {
        TEST(should_carry_bytes_both_ways),
        TEST(should_say_who_the_other_end_is),
        TEST(should_answer_in_progress_and_then_become_writable),
        TEST(should_be_reset_where_nobody_listens),
        TEST(should_have_no_device_for_another_cid),
        TEST(should_reach_itself_by_the_hosts_cid),
        TEST(should_refuse_a_port_that_is_taken),
        TEST(should_end_one_direction_alone),
        TEST(should_deliver_what_was_sent_before_a_close),
        TEST(should_show_that_the_other_end_has_gone),
        TEST(should_end_when_the_other_end_closes_with_bytes_unread),
        TEST(should_clamp_the_buffer_to_its_maximum_without_a_word),
        TEST(should_take_as_much_as_both_buffers_are_large),
        TEST(should_send_in_part_and_become_writable_again),
        TEST(should_report_memory_that_cannot_be_read),
        TEST(should_lose_descriptors_without_a_word),
    };
    if (getenv("VSOCKPROXY_VM") == NULL) {
        fprintf(stderr, "test_vsock: runs only in a machine started by vm/machine\n");
        return 2;
    }
    return RUN_TESTS(tests);
}
