/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */
#include <sched.h>

#include "shim.h"

jint vp_sched_yield(VP_JVM) {
    return VP_RETRY_INT(sched_yield());
}

jint vp_sched_setaffinity(VP_JVM, jint cpu) {
    cpu_set_t set;
    /* CPU_SET does nothing for a number that the set has no bit for. */
    if (cpu < 0 || cpu >= CPU_SETSIZE) {
        return -EINVAL;
    }
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    return VP_RETRY_INT(sched_setaffinity(0, sizeof(set), &set));
}

static const JNINativeMethod methods[] = {
    VP_NATIVE("schedYield", "()I", vp_sched_yield),
    VP_NATIVE("schedSetaffinity", "(I)I", vp_sched_setaffinity),
};

const vp_natives vp_thread_natives = VP_NATIVES(methods);
