/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * What a service manager hands to a service and wants to hear from it: listening sockets, readiness, signs of life.
 *
 * <p>Used by the command line only; a component that links the library has a service manager of its own. The sockets
 * are taken before the proxy starts, by the main thread; {@link io.vsockproxy.systemd.ServiceManager}'s messages may
 * come from any thread.
 */
package io.vsockproxy.systemd;
