/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "constants.h"
#include "control.h"
#include "harness.h"

/*
 * Control data made by hand, as no kernel to date writes it: a kernel puts all descriptors of a message into one header, 253
 * at most.
 */
static union {
    struct cmsghdr align;
    unsigned char bytes[8192];
} ancillary;

static struct msghdr message;

/* Misaligned by one byte, as a caller's memory may be. */
static unsigned char memory[VP_CONTROL_LENGTH + 1];
#define CONTROL (memory + 1)

static void begin(void) {
    memset(&message, 0, sizeof(message));
    memset(memory, 0, sizeof(memory));
    message.msg_control = ancillary.bytes;
    message.msg_controllen = 0;
}

static unsigned char *append(int level, int type, size_t length) {
    unsigned char *at = ancillary.bytes + message.msg_controllen;
    const struct cmsghdr header = { .cmsg_level = level, .cmsg_type = type, .cmsg_len = CMSG_LEN(length) };
    CHECK(message.msg_controllen + CMSG_SPACE(length) <= sizeof(ancillary.bytes));
    memset(at, 0, CMSG_SPACE(length));
    memcpy(at, &header, sizeof(header));
    message.msg_controllen += CMSG_SPACE(length);
    return at + CMSG_LEN(0);
}

static void append_descriptors(int type, int count) {
    unsigned char *data = append(SOL_SOCKET, type, (size_t)count * sizeof(int));
    for (int i = 0; i < count; i++) {
        const int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
        CHECK(fd >= 0);
        memcpy(data + (size_t)i * sizeof(int), &fd, sizeof(fd));
    }
}

static int32_t word(size_t offset) {
    int32_t value;
    memcpy(&value, CONTROL + offset, sizeof(value));
    return value;
}

static void check_and_close(int count) {
    CHECK_EQ(count, word(VP_CONTROL_COUNT_OFFSET));
    for (int i = 0; i < count; i++) {
        const int fd = word(VP_CONTROL_DESCRIPTORS_OFFSET + (size_t)i * sizeof(int));
        check_cloexec(fd);
        CHECK_EQ(0, vp_close(NO_JVM, fd));
    }
}

static void should_list_descriptors_of_several_headers(void) {
    begin();
    append(SOL_SOCKET, SCM_CREDENTIALS, sizeof(struct ucred));
    append_descriptors(SCM_RIGHTS, 3);
    append(SOL_SOCKET, SO_TIMESTAMP, sizeof(struct timeval));
    append(SOL_SOCKET + 1, SCM_RIGHTS, 4);
    append_descriptors(SCM_RIGHTS, 5);
    vp_list_descriptors(&message, CONTROL);
    CHECK_EQ(0, word(VP_CONTROL_FLAGS_OFFSET));
    check_and_close(8);
}

static void should_close_descriptors_beyond_the_list_and_say_so(void) {
    begin();
    append_descriptors(SCM_RIGHTS, 200);
    append_descriptors(SCM_RIGHTS, 100);
    append_descriptors(SCM_RIGHTS, 2);
    message.msg_flags = MSG_EOR;
    vp_list_descriptors(&message, CONTROL);
    CHECK_EQ(MSG_EOR | MSG_CTRUNC, word(VP_CONTROL_FLAGS_OFFSET));
    check_and_close(VP_MAX_DESCRIPTORS);
}

static void should_close_a_pidfd_that_nobody_asked_for(void) {
    begin();
    append_descriptors(SCM_RIGHTS, 1);
    append_descriptors(SCM_PIDFD, 1);
    const int none = -EMFILE;
    memcpy(append(SOL_SOCKET, SCM_PIDFD, sizeof(none)), &none, sizeof(none));
    vp_list_descriptors(&message, CONTROL);
    check_and_close(1);
}

static void should_list_nothing_without_control_data(void) {
    begin();
    memset(memory, 0x7f, sizeof(memory));
    message.msg_control = NULL;
    vp_list_descriptors(&message, CONTROL);
    check_and_close(0);
    CHECK_EQ(0, word(VP_CONTROL_FLAGS_OFFSET));
}

int main(void) {
    static const test_case tests[] = {
        TEST(should_list_descriptors_of_several_headers),
        TEST(should_close_descriptors_beyond_the_list_and_say_so),
        TEST(should_close_a_pidfd_that_nobody_asked_for),
        TEST(should_list_nothing_without_control_data),
    };
    return RUN_TESTS(tests);
}
