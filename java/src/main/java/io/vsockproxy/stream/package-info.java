/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * Local ends: sockets and pipes of applications on this side, and channels of this process's components, one bounded
 * queue each for what they do not take at once; and how descriptors are recognised and stand-ins made. Nothing here
 * knows the protocol.
 *
 * <p>Confined to the loop's thread.
 */
package io.vsockproxy.stream;
