/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * Benchmarks that decide something: each says what in its class. Run by bin/jmh.
 */
package io.vsockproxy.bench;
