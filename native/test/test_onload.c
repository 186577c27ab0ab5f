/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "harness.h"

#define NATIVES 51

/* A mock JVM with one class, which counts the methods registered for it; refused is the name of one that the class lacks. */
static int bound;
static int cleared;
static const char *refused;
static int class_is_missing;

static jclass JNICALL find_class(JNIEnv *env __attribute__((unused)), const char *name) {
    CHECK(strcmp("io/vsockproxy/posix/Syscalls", name) == 0);
    return class_is_missing ? NULL : (jclass)(void *)&bound;
}

static jint JNICALL register_natives(
    JNIEnv *env __attribute__((unused)), jclass owner, const JNINativeMethod *methods, jint count) {
    CHECK((void *)owner == (void *)&bound);
    for (jint i = 0; i < count; i++) {
        CHECK(methods[i].fnPtr != NULL);
        CHECK(methods[i].signature[0] == '(');
        if (refused != NULL && strcmp(refused, methods[i].name) == 0) {
            return JNI_ERR;
        }
        bound++;
    }
    return JNI_OK;
}

static void JNICALL exception_clear(JNIEnv *env __attribute__((unused))) {
    cleared++;
}

static void JNICALL delete_local_ref(JNIEnv *env __attribute__((unused)), jobject object) {
    CHECK((void *)object == (void *)&bound);
}

static const struct JNINativeInterface_ functions = {
    .FindClass = find_class, .RegisterNatives = register_natives,
    .ExceptionClear = exception_clear, .DeleteLocalRef = delete_local_ref,
};
static JNIEnv environment = &functions;

static jint JNICALL get_env(JavaVM *vm __attribute__((unused)), void **env, jint version) {
    CHECK_EQ(JNI_VERSION_1_8, version);
    *env = &environment;
    return JNI_OK;
}

static jint load(const char *refused_method, int missing_class) {
    static const struct JNIInvokeInterface_ invocation = { .GetEnv = get_env };
    JavaVM vm = &invocation;
    bound = 0;
    cleared = 0;
    refused = refused_method;
    class_is_missing = missing_class;
    return JNI_OnLoad(&vm, NULL);
}

static void should_bind_every_native(void) {
    CHECK_EQ(JNI_VERSION_1_8, load(NULL, 0));
    CHECK_EQ(NATIVES, bound);
    CHECK_EQ(0, cleared);
}

static void should_leave_it_to_the_version_check_when_a_method_is_missing(void) {
    CHECK_EQ(JNI_VERSION_1_8, load("sendmsg", 0));
    CHECK(bound < NATIVES);
    CHECK_EQ(1, cleared);
}

static void should_fail_without_what_the_version_check_needs(void) {
    CHECK_EQ(JNI_ERR, load("constant", 0));
    CHECK_EQ(JNI_ERR, load(NULL, 1));
    CHECK_EQ(0, cleared);
}

int main(void) {
    static const test_case tests[] = {
        TEST(should_bind_every_native),
        TEST(should_leave_it_to_the_version_check_when_a_method_is_missing),
        TEST(should_fail_without_what_the_version_check_needs),
    };
    return RUN_TESTS(tests);
}
