/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */
#include <sys/mman.h>

#include "shim.h"

/* MAP_FAILED is (void *)-1, so VP_RETRY's check for -1 works for addresses too: no mapping starts there. */
_Static_assert(sizeof(off_t) == 8, "offsets may exceed 4 GiB");

jlong vp_mmap(VP_JVM, jlong hint, jlong length, jint protection, jint flags, jint fd, jlong offset) {
    return VP_RETRY(mmap(vp_pointer(hint), (size_t)length, protection, flags, fd, offset));
}

jint vp_munmap(VP_JVM, jlong address, jlong length) {
    return VP_RETRY_INT(munmap(vp_pointer(address), (size_t)length));
}

jint vp_madvise(VP_JVM, jlong address, jlong length, jint advice) {
    return VP_RETRY_INT(madvise(vp_pointer(address), (size_t)length, advice));
}

jint vp_mincore(VP_JVM, jlong address, jlong length, jlong vector_address) {
    return VP_RETRY_INT(mincore(vp_pointer(address), (size_t)length, vp_pointer(vector_address)));
}

static const JNINativeMethod methods[] = {
    VP_NATIVE("mmap", "(JJIIIJ)J", vp_mmap),
    VP_NATIVE("munmap", "(JJ)I", vp_munmap),
    VP_NATIVE("madvise", "(JJI)I", vp_madvise),
    VP_NATIVE("mincore", "(JJJ)I", vp_mincore),
};

const vp_natives vp_memory_natives = VP_NATIVES(methods);
