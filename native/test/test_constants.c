/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "constants.h"
#include "harness.h"

static const char *const *as_string(jstring name) {
    return (const char *const *)(const void *)name;
}

/* A mock JVM with what vp_constant needs: a string is a pointer to a C string. */
static jsize JNICALL utf_length(JNIEnv *env __attribute__((unused)), jstring name) {
    return (jsize)strlen(*as_string(name));
}

static void JNICALL utf_region(
    JNIEnv *env __attribute__((unused)), jstring name, jsize start, jsize length, char *buffer) {
    CHECK_EQ(0, start);
    memcpy(buffer, *as_string(name), (size_t)length);
}

static jlong constant(const char *name) {
    static const struct JNINativeInterface_ functions = {
        .GetStringUTFLength = utf_length, .GetStringLength = utf_length, .GetStringUTFRegion = utf_region,
    };
    JNIEnv env = &functions;
    return vp_constant(&env, NULL, (jstring)(void *)&name);
}

static void should_answer_what_the_headers_say(void) {
    CHECK_EQ(3, vp_lookup("abi.version"));
    CHECK_EQ(16, vp_lookup("sizeof.iovec"));
    CHECK_EQ(EAGAIN, vp_lookup("EAGAIN"));
    CHECK_EQ(ETOOMANYREFS, vp_lookup("ETOOMANYREFS"));
    CHECK_EQ(AF_UNIX, vp_lookup("AF_UNIX"));
    CHECK_EQ(40, vp_lookup("AF_VSOCK"));
    CHECK_EQ(SOCK_SEQPACKET, vp_lookup("SOCK_SEQPACKET"));
    CHECK_EQ(0x8, vp_lookup("RWF_NOWAIT"));
    CHECK_EQ(0x10, vp_lookup("RWF_APPEND"));
    CHECK_EQ(22, vp_lookup("MADV_POPULATE_READ"));
    CHECK_EQ(sizeof(struct epoll_event), vp_lookup("sizeof.epoll_event"));
    CHECK_EQ(offsetof(struct epoll_event, data), vp_lookup("offsetof.epoll_event.data"));
    CHECK_EQ(256, vp_lookup("sizeof.statx"));
    CHECK_EQ(40, vp_lookup("offsetof.statx.stx_size"));
    CHECK_EQ(110, vp_lookup("sizeof.sockaddr_un"));
    CHECK_EQ(16, vp_lookup("sizeof.sockaddr_vm"));
}

static void should_keep_all_bits_of_unsigned_constants(void) {
    CHECK_EQ(0x80000000L, vp_lookup("EPOLLET"));
    CHECK_EQ(0xffffffffL, vp_lookup("VMADDR_CID_ANY"));
}

static void should_not_know_other_names(void) {
    CHECK_EQ(INT64_MIN, vp_lookup(""));
    CHECK_EQ(INT64_MIN, vp_lookup("EAGAI"));
    CHECK_EQ(INT64_MIN, vp_lookup("EAGAINX"));
}

static void should_take_the_name_from_a_java_string(void) {
    CHECK_EQ(EAGAIN, constant("EAGAIN"));
    CHECK_EQ(offsetof(struct statx, stx_dev_minor), constant("offsetof.statx.stx_dev_minor"));
    CHECK_EQ(INT64_MIN, constant(""));
    CHECK_EQ(INT64_MIN, vp_constant(NULL, NULL, NULL));
}

static void should_not_know_a_name_longer_than_its_buffer(void) {
    char name[5000];
    memset(name, 'E', sizeof(name));
    for (size_t length = 60; length < 68; length++) {
        name[length] = '\0';
        CHECK_EQ(INT64_MIN, constant(name));
        name[length] = 'E';
    }
    name[sizeof(name) - 1] = '\0';
    CHECK_EQ(INT64_MIN, constant(name));
}

int main(void) {
    static const test_case tests[] = {
        TEST(should_answer_what_the_headers_say),
        TEST(should_keep_all_bits_of_unsigned_constants),
        TEST(should_not_know_other_names),
        TEST(should_take_the_name_from_a_java_string),
        TEST(should_not_know_a_name_longer_than_its_buffer),
    };
    return RUN_TESTS(tests);
}
