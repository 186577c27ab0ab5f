/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.cli;

import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;
import picocli.CommandLine.IVersionProvider;

/**
 * What {@code --version} says.
 */
final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() throws IOException {
        final Properties properties = new Properties();
        try (InputStream stream = Version.class.getResourceAsStream("/io/vsockproxy/version.properties")) {
            properties.load(stream);
        }
        return new String[] {"vsock-proxy " + properties.getProperty("version")};
    }
}
