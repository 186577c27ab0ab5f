/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */

/* Kernel constants that headers as old as glibc 2.17 lack. They are part of the kernel's ABI and never change. */
#ifndef VSOCKPROXY_CONSTANTS_H
#define VSOCKPROXY_CONSTANTS_H

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#ifndef AF_VSOCK
#define AF_VSOCK 40
#endif
#include <linux/vm_sockets.h>

/* struct statx: from the C library if that has it (glibc 2.28), otherwise from the kernel; both declare it alike. */
#ifndef STATX_BASIC_STATS
#include <linux/stat.h>
#endif

#ifndef SO_VM_SOCKETS_BUFFER_SIZE
#define SO_VM_SOCKETS_BUFFER_SIZE 0
#endif
#ifndef SO_VM_SOCKETS_BUFFER_MAX_SIZE
#define SO_VM_SOCKETS_BUFFER_MAX_SIZE 2
#endif
#ifndef SO_DOMAIN
#define SO_DOMAIN 39
#endif
#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif
#ifndef O_PATH
#define O_PATH 010000000
#endif
#ifndef F_SETPIPE_SZ
#define F_SETPIPE_SZ 1031
#endif
#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x8
#endif
#ifndef RWF_APPEND
#define RWF_APPEND 0x10
#endif
#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif
#ifndef AT_STATX_DONT_SYNC
#define AT_STATX_DONT_SYNC 0x4000
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE (1U << 1)
#endif
/* The same number on every architecture, as for all newer system calls. */
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#if defined(__x86_64__)
#ifndef SYS_preadv2
#define SYS_preadv2 327
#define SYS_pwritev2 328
#endif
#ifndef SYS_statx
#define SYS_statx 332
#endif
#elif defined(__aarch64__)
#ifndef SYS_preadv2
#define SYS_preadv2 286
#define SYS_pwritev2 287
#endif
#ifndef SYS_statx
#define SYS_statx 291
#endif
#endif

#endif
