/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * What bin/bench runs: request and reply, and bytes one way, through pairs of processes that carry a unix socket's
 * connections to another one, and a page that shows them beside each other.
 *
 * <p>Both ends of a connection are in this JVM: one thread measures, and a second one serves the other end.
 */
package io.vsockproxy.endtoend;
