/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * Starting a proxy from Java: its configuration, its addresses, its thread.
 *
 * <p>A {@link io.vsockproxy.VsockProxy}'s methods may be called from any thread; the proxy's own state is confined to
 * the one thread that runs it.
 */
package io.vsockproxy;
