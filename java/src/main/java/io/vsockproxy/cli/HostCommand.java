/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.cli;

import io.vsockproxy.Role;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * {@code vsock-proxy host}.
 */
@Command(
    name = "host",
    description = "Listens for guests, any number of them.",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class)
final class HostCommand extends ProxyCommand {
    @Option(
        names = "--listen",
        required = true,
        paramLabel = "ADDRESS",
        description = "vsock:PORT (any CID), vsock:CID:PORT or unix:PATH. The port is 9900 where vsock: has none.")
    private String address;

    @Override
    Role role() {
        return Role.HOST;
    }

    @Override
    String address() {
        return address;
    }
}
