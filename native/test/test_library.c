/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */

/* Loads the library whose path is the argument, as a JVM does, and calls the functions that it registers. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "constants.h"
#include "control.h"
#include "harness.h"

#define MAX_NATIVES 128

typedef jlong(JNICALL *constant_function)(JNIEnv *, jclass, jstring);
typedef jint(JNICALL *socketpair_function)(JNIEnv *, jclass, jint, jint, jint, jlong);
typedef jint(JNICALL *eventfd_function)(JNIEnv *, jclass, jint, jint);
typedef jint(JNICALL *sendmsg_function)(JNIEnv *, jclass, jint, jlong, jint, jint, jlong, jint);
typedef jint(JNICALL *recvmsg_function)(JNIEnv *, jclass, jint, jlong, jint, jint, jlong);
typedef jlong(JNICALL *read_function)(JNIEnv *, jclass, jint, jlong, jlong);
typedef jint(JNICALL *close_function)(JNIEnv *, jclass, jint);

static const char *library_path;
static JNINativeMethod natives[MAX_NATIVES];
static int bound;

static jclass JNICALL find_class(JNIEnv *env __attribute__((unused)), const char *name) {
    CHECK(strcmp("io/vsockproxy/posix/Syscalls", name) == 0);
    return (jclass)(void *)natives;
}

static jint JNICALL register_natives(
    JNIEnv *env __attribute__((unused)), jclass owner __attribute__((unused)), const JNINativeMethod *methods,
    jint count) {
    for (jint i = 0; i < count; i++) {
        CHECK(bound < MAX_NATIVES);
        natives[bound++] = methods[i];
    }
    return JNI_OK;
}

static void JNICALL delete_local_ref(JNIEnv *env __attribute__((unused)), jobject object __attribute__((unused))) {
}

/* In this mock JVM a string is its bytes. */
static jsize JNICALL string_length(JNIEnv *env __attribute__((unused)), jstring string) {
    return (jsize)strlen((const char *)(const void *)string);
}

static void JNICALL copy_string(JNIEnv *env, jstring string, jsize start, jsize length, char *buffer) {
    CHECK_EQ(0, start);
    CHECK_EQ(string_length(env, string), length);
    memcpy(buffer, (const void *)string, (size_t)length);
}

static const struct JNINativeInterface_ functions = {
    .FindClass = find_class, .RegisterNatives = register_natives, .DeleteLocalRef = delete_local_ref,
    .GetStringUTFLength = string_length, .GetStringLength = string_length, .GetStringUTFRegion = copy_string,
};
static JNIEnv environment = &functions;

static jint JNICALL get_env(JavaVM *vm __attribute__((unused)), void **env, jint version) {
    CHECK_EQ(JNI_VERSION_1_8, version);
    *env = &environment;
    return JNI_OK;
}

static void *load(void) {
    static const struct JNIInvokeInterface_ invocation = { .GetEnv = get_env };
    JavaVM vm = &invocation;
    jint(JNICALL * on_load)(JavaVM *, void *);

    void *library = dlopen(library_path, RTLD_NOW);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
    }
    CHECK(library != NULL);
    void *symbol = dlsym(library, "JNI_OnLoad");
    CHECK(symbol != NULL);
    memcpy(&on_load, &symbol, sizeof(on_load));
    bound = 0;
    CHECK_EQ(JNI_VERSION_1_8, on_load(&vm, NULL));
    return library;
}

static void *native_named(const char *name) {
    for (int i = 0; i < bound; i++) {
        if (strcmp(natives[i].name, name) == 0) {
            return natives[i].fnPtr;
        }
    }
    fprintf(stderr, "%s is not bound\n", name);
    CHECK(0);
    return NULL;
}

/* Assigns the function registered under a name to a variable of its type. */
#define FIND(type, name) \
    type name##_native; \
    do { \
        void *address_ = native_named(#name); \
        memcpy(&name##_native, &address_, sizeof(address_)); \
    } while (0)

static jlong constant(const char *name) {
    FIND(constant_function, constant);
    return constant_native(&environment, NULL, (jstring)(void *)(uintptr_t)name);
}

static void should_say_its_version_and_layouts(void) {
    void *library = load();
    CHECK_EQ(VP_ABI_VERSION, constant("abi.version"));
    CHECK_EQ(sizeof(struct iovec), constant("sizeof.iovec"));
    CHECK_EQ(sizeof(struct epoll_event), constant("sizeof.epoll_event"));
    CHECK_EQ(offsetof(struct epoll_event, data), constant("offsetof.epoll_event.data"));
    CHECK_EQ(sizeof(struct sockaddr_un), constant("sizeof.sockaddr_un"));
    CHECK_EQ(sizeof(struct sockaddr_vm), constant("sizeof.sockaddr_vm"));
    CHECK_EQ(sizeof(struct statx), constant("sizeof.statx"));
    CHECK_EQ(O_DIRECTORY, constant("O_DIRECTORY"));
    CHECK_EQ(INT64_MIN, constant("sizeof.nothing"));
    CHECK_EQ(0, dlclose(library));
}

static void should_pass_a_descriptor_through_a_socket_pair(void) {
    struct {
        int32_t count;
        int32_t flags;
        int32_t fds[VP_MAX_DESCRIPTORS];
    } control;
    char text[] = "with a descriptor";
    char bytes[sizeof(text)] = "";
    struct iovec piece = { text, sizeof(text) };
    uint64_t value = 0;
    int pair[2];
    void *library = load();
    FIND(socketpair_function, socketpair);
    FIND(eventfd_function, eventfd);
    FIND(sendmsg_function, sendmsg);
    FIND(recvmsg_function, recvmsg);
    FIND(read_function, read);
    FIND(close_function, close);
    _Static_assert(sizeof(control) == VP_CONTROL_LENGTH, "ControlData.LENGTH");

    CHECK_EQ(0, socketpair_native(NO_JVM, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ADDRESS(pair)));
    const int event = eventfd_native(NO_JVM, 42, 0);
    CHECK(event >= 0);
    CHECK_EQ(sizeof(text), sendmsg_native(NO_JVM, pair[0], ADDRESS(&piece), 1, MSG_NOSIGNAL, ADDRESS(&event), 1));
    CHECK_EQ(0, close_native(NO_JVM, event));

    CHECK_EQ(
        sizeof(text),
        recvmsg_native(NO_JVM, pair[1], ADDRESS(bytes), sizeof(bytes), MSG_CMSG_CLOEXEC, ADDRESS(&control)));
    CHECK(memcmp(text, bytes, sizeof(text)) == 0);
    CHECK_EQ(1, control.count);
    CHECK_EQ(0, control.flags & MSG_CTRUNC);
    check_cloexec(control.fds[0]);
    CHECK_EQ(8, read_native(NO_JVM, control.fds[0], ADDRESS(&value), sizeof(value)));
    CHECK_EQ(42, value);

    CHECK_EQ(0, close_native(NO_JVM, control.fds[0]));
    CHECK_EQ(0, close_native(NO_JVM, pair[0]));
    CHECK_EQ(0, close_native(NO_JVM, pair[1]));
    CHECK_EQ(0, dlclose(library));
}

int main(int argc, char **argv) {
    static const test_case tests[] = {
        TEST(should_say_its_version_and_layouts),
        TEST(should_pass_a_descriptor_through_a_socket_pair),
    };
    CHECK_EQ(2, argc);
    library_path = argv[1];
    return RUN_TESTS(tests);
}
