/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.cli;

import io.vsockproxy.LinkAddress;
import io.vsockproxy.Role;
import io.vsockproxy.VsockProxy;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * {@code vsock-proxy host}.
 */
@Command(
    name = "host",
    customSynopsis = "vsock-proxy host --listen=ADDRESS [OPTION]...",
    description = "Listens for guests, and serves up to 64 at once.",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class)
final class HostCommand extends ProxyCommand {
    private static final Logger LOGGER = System.getLogger(HostCommand.class.getName());

    @Option(
        names = "--listen",
        required = true,
        paramLabel = "ADDRESS",
        description = "vsock:PORT (any CID), vsock:CID:PORT or unix:PATH. An empty port means 9900.")
    private String address;

    @Option(
        names = "--allow-cid",
        paramLabel = "CID",
        description = "Serve the guest with this context identifier. Only with a vsock address. May be repeated. "
            + "Default: every guest is served, unless --guests is given.")
    private final List<String> allowedCids = new ArrayList<>();

    @Option(
        names = "--guests",
        paramLabel = "FILE",
        description = "Serve only the guests that FILE lists, and those of --allow-cid. Only with a vsock address. "
            + "Each line is a CID, alone or followed by a unix socket that this guest may connect to besides those of "
            + "--allow-connect; # begins a comment line. SIGHUP makes the host read FILE again: sessions of guests "
            + "that are no longer listed end, others go on.")
    private Path guestFile;

    @Override
    void configure(final VsockProxy.Context context) {
        if (guestFile != null || !allowedCids.isEmpty()) {
            context.guests(guests());
        }
    }

    @Override
    void onLaunched(final VsockProxy proxy) {
        if (guestFile != null) {
            Signals.handle("HUP", () -> {
                try {
                    if (!proxy.guests(guests())) {
                        LOGGER.log(Level.WARNING, "the guests are unchanged: the proxy is too busy, or is stopping");
                    }
                } catch (final IllegalArgumentException e) {
                    LOGGER.log(Level.WARNING, "{0}; the guests are unchanged", e.getMessage());
                }
            });
        }
    }

    private Map<Integer, List<String>> guests() {
        final Map<Integer, List<String>> pathsByCid = new HashMap<>();
        for (final String cid : allowedCids) {
            pathsByCid.put(UsageErrors.about("--allow-cid", () -> LinkAddress.guestCid(cid)), new ArrayList<>());
        }
        if (guestFile != null) {
            GuestFile.read(guestFile, pathsByCid);
        }
        return pathsByCid;
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
