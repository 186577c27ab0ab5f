/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Preloaded into user-mode Linux by vm/machine. Its kernel saves only the extended registers that processors had when it was
 * written. A host kernel that knows more (AMX's tiles, for example) accepts all of them or none ("ptrace set fp regs failed,
 * errno = 14"). This sets all of them: those that the user-mode kernel does not know keep their values.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

typedef long ptrace_call(int request, pid_t pid, void *address, void *data);

static char registers[64 << 10] __attribute__((aligned(64)));

long ptrace(enum __ptrace_request request, ...) {
    static ptrace_call *next;
    __builtin_va_list arguments;
    __builtin_va_start(arguments, request);
    pid_t pid = __builtin_va_arg(arguments, pid_t);
    void *address = __builtin_va_arg(arguments, void *);
    void *data = __builtin_va_arg(arguments, void *);
    __builtin_va_end(arguments);
    if (next == NULL) {
        next = (ptrace_call *) dlsym(RTLD_NEXT, "ptrace");
    }
    if (request == PTRACE_SETREGSET && address == (void *) NT_X86_XSTATE) {
        const struct iovec *given = data;
        struct iovec all = {registers, sizeof registers};
        if (next(PTRACE_GETREGSET, pid, address, &all) == 0 && all.iov_len > given->iov_len) {
            memcpy(registers, given->iov_base, given->iov_len);
            return next(request, pid, address, &all);
        }
    }
    return next(request, pid, address, data);
}
