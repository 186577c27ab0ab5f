/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * The connection to the other side: what has come in, what is to go out, the descriptors that ride along, and what
 * its sockets are set to. It moves bytes and does not know what frames mean.
 *
 * <p>Confined to the loop's thread.
 */
package io.vsockproxy.link;
