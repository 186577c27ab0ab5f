/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * The command line: arguments, exit codes, signals. A client of the public API, which uses nothing else (PublicApiTest
 * checks that).
 *
 * <p>Runs on the JVM's main thread.
 */
package io.vsockproxy.cli;
