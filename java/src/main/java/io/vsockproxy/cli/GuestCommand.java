/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.cli;

import io.vsockproxy.Role;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * {@code vsock-proxy guest}.
 */
@Command(
    name = "guest",
    customSynopsis = "vsock-proxy guest --connect=ADDRESS [OPTION]...",
    description = "Connects to the host, and keeps trying while there is none.",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class)
final class GuestCommand extends ProxyCommand {
    @Option(
        names = "--connect",
        required = true,
        paramLabel = "ADDRESS",
        description = "vsock:CID:PORT (the host's CID is 2) or unix:PATH. An empty port means 9900.")
    private String address;

    @Override
    Role role() {
        return Role.GUEST;
    }

    @Override
    String address() {
        return address;
    }
}
