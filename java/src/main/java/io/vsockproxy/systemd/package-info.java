/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * What a service manager gives to a service and expects from it: listening sockets, readiness, signs of life.
 *
 * <p>Public API, for a process that runs as a service: the command line, or an application that contains the proxy. The
 * sockets are taken before the proxy starts; {@link io.vsockproxy.systemd.ServiceManager} may then be used from any
 * thread.
 */
package io.vsockproxy.systemd;
