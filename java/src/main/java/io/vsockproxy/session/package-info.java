/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * One peer: its handles and cookies, the handling of its messages, and the limits on what it may use up.
 *
 * <p>Confined to the loop's thread.
 */
package io.vsockproxy.session;
