/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * What a proxy is told that concerns more than itself: what each peer may use up, what is agreed with it, and who may
 * connect to the proxy's sockets. Values, which never change, and check themselves when they are made.
 *
 * <p>Public API, for {@link io.vsockproxy.VsockProxy.Context}. Any thread.
 */
package io.vsockproxy.config;
