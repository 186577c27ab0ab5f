/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */

/* What the shim's recvmsg returns besides the bytes, in the layout that io.vsockproxy.posix.ControlData reads. */
#ifndef VSOCKPROXY_CONTROL_H
#define VSOCKPROXY_CONTROL_H

#include <stdint.h>
#include <sys/socket.h>

/* SCM_MAX_FD in the kernel's include/net/scm.h. */
#define VP_MAX_DESCRIPTORS 253

/* ControlData's layout: int32 count, int32 msg_flags, int32 descriptors[253]; not necessarily aligned. */
#define VP_CONTROL_COUNT_OFFSET 0
#define VP_CONTROL_FLAGS_OFFSET 4
#define VP_CONTROL_DESCRIPTORS_OFFSET 8
#define VP_CONTROL_LENGTH (VP_CONTROL_DESCRIPTORS_OFFSET + VP_MAX_DESCRIPTORS * 4)

/*
 * Writes the descriptors of all SCM_RIGHTS headers of message to control, and its flags. Closes descriptors that the caller
 * would not learn of: those that do not fit (MSG_CTRUNC is then among the flags), and pidfds (SCM_PIDFD).
 */
void vp_list_descriptors(struct msghdr *message, unsigned char *control);

#endif
