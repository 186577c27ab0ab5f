/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * Random programs of operations on sockets, pipes and files, carried out between applications on one machine and, at
 * the same time, between applications on both sides of two proxies: both must see the same. Everything is on one
 * thread.
 */
package io.vsockproxy.model;
