/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * What a proxy does, in numbers that other processes can read while it runs: a mapped file of Agrona counters.
 *
 * <p>{@link io.vsockproxy.counters.CounterValues} gathers them, {@link io.vsockproxy.counters.CounterFile} shows them;
 * both are the loop's thread's. {@link io.vsockproxy.counters.CounterFileReader} is anyone's, and with {@link
 * io.vsockproxy.counters.CounterId} public API.
 */
package io.vsockproxy.counters;
