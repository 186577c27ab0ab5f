/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */

/* Libraries that check_library.sh must refuse, one for each macro. */
#define _GNU_SOURCE
#include <math.h>
#include <sys/mman.h>

int JNI_OnLoad(void);
void JNI_OnUnload(void);

int JNI_OnLoad(void) {
#ifdef NEW_SYMBOL
    return memfd_create("new in glibc 2.27", 0);
#else
    return 0;
#endif
}

void JNI_OnUnload(void) {
}

#ifdef EXTRA_EXPORT
void extra(void);
void extra(void) {
}
#endif

#ifdef EXTRA_LIBRARY
double (*volatile extra_library)(double) __attribute__((visibility("hidden"))) = cos;
#endif
