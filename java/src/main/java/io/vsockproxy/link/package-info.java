/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * The connection to the other side: received bytes, bytes to be sent, the descriptors attached to them, and the options
 * of its sockets. It moves bytes and does not know what frames mean.
 *
 * <p>Confined to the loop's thread.
 */
package io.vsockproxy.link;
