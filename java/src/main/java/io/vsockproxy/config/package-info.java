/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * Configuration that several packages share: what each peer may use up, what to agree on with it, and who may connect
 * to the proxy's sockets. Immutable values, which check themselves when they are created.
 *
 * <p>Public API, used with {@link io.vsockproxy.VsockProxy.Context}. Any thread.
 */
package io.vsockproxy.config;
