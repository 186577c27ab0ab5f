/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * Starting a proxy from Java: its configuration, its addresses, its thread.
 *
 * <p>A {@link io.vsockproxy.VsockProxy}'s methods may be called from any thread; the proxy's own state lives on the one
 * thread that turns it.
 */
package io.vsockproxy;
