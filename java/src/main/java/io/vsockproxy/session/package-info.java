/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * One peer: its handles and cookies, what its messages lead to, and the limits it is held to.
 *
 * <p>Confined to the loop's thread.
 */
package io.vsockproxy.session;
