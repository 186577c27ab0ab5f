/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * What bin/demo and bin/soak run: a host proxy and guest proxies as processes of their own, and an application on each
 * side that uses them and checks everything that arrives.
 *
 * <p>Both applications are in this JVM. A step runs on one thread, and starts more where both sides must be active at
 * once.
 */
package io.vsockproxy.demo;
