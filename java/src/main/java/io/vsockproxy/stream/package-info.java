/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * Local ends: sockets and pipes of applications on this side, and channels of this process's components, each with a
 * bounded queue for what it does not take at once. Also how descriptors are recognised and stand-ins are made. Nothing
 * here knows the protocol.
 *
 * <p>Confined to the loop's thread.
 */
package io.vsockproxy.stream;
