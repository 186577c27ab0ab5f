/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * Proxies and applications that are killed while they are active, and what the others see of that. Each activity has a
 * thread of its own, and only that uses the activity's descriptor until it is {@linkplain
 * io.vsockproxy.crash.Activity#stop stopped}.
 */
package io.vsockproxy.crash;
