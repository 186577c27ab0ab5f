/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * Counters of what a proxy does, which other processes can read while it runs: a mapped file of Agrona counters.
 *
 * <p>{@link io.vsockproxy.counters.CounterValues} gathers them and {@link io.vsockproxy.counters.CounterFile} publishes
 * them, both on the loop's thread. {@link io.vsockproxy.counters.CounterFileReader} and {@link
 * io.vsockproxy.counters.CounterId} are public API, for any thread.
 */
package io.vsockproxy.counters;
