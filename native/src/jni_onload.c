/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "shim.h"

#define SYSCALLS_CLASS "io/vsockproxy/posix/Syscalls"

static int bind_natives(JNIEnv *env, jclass owner, const vp_natives *natives) {
    return (*env)->RegisterNatives(env, owner, natives->methods, natives->count) == JNI_OK;
}

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *vm, void *reserved __attribute__((unused))) {
    static const vp_natives *const tables[] = {
        &vp_socket_natives, &vp_message_natives, &vp_epoll_natives,
        &vp_file_natives, &vp_memory_natives, &vp_thread_natives,
    };

    void *address = NULL;
    if ((*vm)->GetEnv(vm, &address, JNI_VERSION_1_8) != JNI_OK) {
        return JNI_ERR;
    }
    JNIEnv *env = address;

    /* Found through the loader of the class that called System.load: NativeLibrary's, which is Syscalls' as well. */
    jclass owner = (*env)->FindClass(env, SYSCALLS_CLASS);
    if (owner == NULL || !bind_natives(env, owner, &vp_constant_natives)) {
        return JNI_ERR;
    }

    /*
     * Java classes of another version may lack one of these methods. That is no error here: NativeLibrary compares the
     * versions next and reports both, whereas a pending NoSuchMethodError would name neither.
     */
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (!bind_natives(env, owner, tables[i])) {
            (*env)->ExceptionClear(env);
        }
    }
    (*env)->DeleteLocalRef(env, owner);
    return JNI_VERSION_1_8;
}

/* Nothing to do: the bindings end with the class, whose loader unloads this library. */
JNIEXPORT void JNICALL JNI_OnUnload(JavaVM *vm __attribute__((unused)), void *reserved __attribute__((unused))) {
}
