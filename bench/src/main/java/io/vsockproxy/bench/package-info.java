/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * Benchmarks that a design decision depends on; each class says which. bin/jmh runs them.
 */
package io.vsockproxy.bench;
