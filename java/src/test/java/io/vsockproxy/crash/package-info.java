/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * Proxies and applications killed in the middle of something, and what the others see of it. Each activity has a thread
 * of its own, which alone uses its descriptor until it is {@linkplain io.vsockproxy.crash.Activity#stop stopped}.
 */
package io.vsockproxy.crash;
