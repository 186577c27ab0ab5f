/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * What a service manager hands to a service and wants to hear from it: listening sockets, readiness, signs of life.
 *
 * <p>Public API, for a process that is such a service: the command line, or a component that links the library and has
 * the proxy in its own service. The sockets are taken before the proxy starts; {@link
 * io.vsockproxy.systemd.ServiceManager}'s messages may come from any thread.
 */
package io.vsockproxy.systemd;
