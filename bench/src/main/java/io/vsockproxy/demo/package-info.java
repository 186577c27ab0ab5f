/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * What bin/demo and bin/soak run: a host proxy and guest proxies as processes of their own, and an application on
 * either side that uses them and checks everything that comes through.
 *
 * <p>The application's two ends live in this JVM; a step runs on one thread, and starts more where both ends must move
 * at once.
 */
package io.vsockproxy.demo;
