/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.cli;

import io.vsockproxy.Role;
import io.vsockproxy.VsockProxy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * {@code vsock-proxy host}.
 */
@Command(
    name = "host",
    customSynopsis = "vsock-proxy host --listen=ADDRESS [OPTION]...",
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

    @Option(
        names = "--allow-cid",
        paramLabel = "CID",
        description = "Serve the guest with this context identifier. May be given again; with none, and without "
            + "--guests, every guest is served.")
    private final List<String> allowedCids = new ArrayList<>();

    @Option(
        names = "--guests",
        paramLabel = "FILE",
        description = "Serve the guests that FILE lists, each line a CID, alone or with a unix socket that this guest "
            + "may connect to besides those of --allow-connect; # begins a comment line.")
    private Path guestFile;

    @Override
    void configure(final VsockProxy.Context context) {
        for (final String cid : allowedCids) {
            context.allowCid(GuestFile.cid("", cid));
        }
        if (guestFile != null) {
            GuestFile.apply(guestFile, context);
        }
    }

    @Override
    Role role() {
        return Role.HOST;
    }

    @Override
    String address() {
        return address;
    }
}
