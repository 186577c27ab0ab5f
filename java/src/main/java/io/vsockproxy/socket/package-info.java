/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * How connections are made, for the link and for local sockets alike: listening, accepting, connecting.
 *
 * <p>Confined to the loop's thread.
 */
package io.vsockproxy.socket;
