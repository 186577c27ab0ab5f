/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.Role;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.ProxyPair;
import io.vsockproxy.testing.ProxyProcess;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Host and guest processes with a connection for descriptors beside their link.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class DescriptorSocketPairTest {
    private static final int MANY = 600;
    private static final int AT_ONCE = 100;

    @TempDir
    Path directory;

    @ParameterizedTest
    @EnumSource
    void shouldCarryTheVeryDescriptorsInOrderAmongOthers(final Role from) throws Exception {
        try (ProxyPair pair = ProxyPair.processes(directory, option())) {
            final Endpoint[] ends = pair.connect(from);
            final Endpoint[] pipe = Endpoint.pipe();
            for (int i = 0; i < MANY; i += AT_ONCE) {
                final Endpoint[] events = new Endpoint[AT_ONCE];
                for (int j = 0; j < AT_ONCE; j++) {
                    events[j] = Endpoint.eventfd(i + j + 1);
                }
                ends[0].send("x", events);
                Endpoint.closeAll(events);
            }
            final Endpoint opened = Endpoint.open(directory, Constants.O_RDONLY | Constants.O_DIRECTORY);
            ends[0].send("y", pipe[0], opened);
            final List<Endpoint> received = new ArrayList<>();
            while (received.size() < MANY + 2) {
                received.addAll(ends[1].receive(1).descriptors());
            }
            for (int i = 0; i < MANY; i++) {
                assertEquals(i + 1, value(received.get(i)));
            }
            pipe[1].write("pipe");
            assertEquals("pipe", received.get(MANY).readText(4));
            assertEquals(directory.toRealPath(),
                Files.readSymbolicLink(Path.of("/proc/self/fd/" + received.get(MANY + 1).fd())));
            received.forEach(Endpoint::close);
            Endpoint.closeAll(ends);
            Endpoint.closeAll(pipe[0], pipe[1], opened);
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldCarryThemAgainAfterTheOtherSideWasRestarted(final Role from) {
        try (ProxyPair pair = ProxyPair.processes(directory, option())) {
            exchange(pair, from);
            pair.guestProcess().signal("KILL");
            pair.guestProcess().awaitExit();
            try (ProxyProcess guest = ProxyProcess.start(Stream.concat(
                Stream.of(ProxyPair.guestArguments(directory)), Stream.of(option())).toArray(String[]::new))) {
                guest.awaitReady();
                exchange(pair, from);
            }
        }
    }

    private static void exchange(final ProxyPair pair, final Role from) {
        final Endpoint[] ends = pair.connect(from);
        try (Endpoint there = Endpoint.eventfd(7);
            Endpoint back = Endpoint.eventfd(8)) {
            ends[0].send("x", there);
            assertEquals(7, value(ends[1].receive().only()));
            ends[1].send("y", back);
            assertEquals(8, value(ends[0].receive().only()));
        }
        Endpoint.closeAll(ends);
    }

    private String[] option() {
        return new String[] {"--descriptor-socket", directory.resolve("descriptors").toString()};
    }

    private static long value(final Endpoint event) {
        try (event) {
            return ByteBuffer.wrap(event.readFully(Long.BYTES)).order(ByteOrder.nativeOrder()).getLong();
        }
    }
}
