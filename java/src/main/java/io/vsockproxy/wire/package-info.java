/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * Frames and messages as flyweights over buffers: what the bytes between two proxies mean, and how to write them in
 * place, without I/O and without allocating per message. Nothing here is shared or synchronised: a decoder belongs to
 * the thread that reads the link, and the encoders keep no state at all.
 */
package io.vsockproxy.wire;
