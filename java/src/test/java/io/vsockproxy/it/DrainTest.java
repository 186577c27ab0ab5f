/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.Role;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.ProxyPair;
import io.vsockproxy.testing.ProxyProcess;
import io.vsockproxy.testing.RunsOverVsock;
import io.vsockproxy.testing.Seeds;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Everything written before a proxy was told to stop still arrives.
 */
@RunsOverVsock
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class DrainTest {
    private static final int MAX_LENGTH = 32 << 20;

    @TempDir
    Path directory;

    @ParameterizedTest
    @CsvSource({"GUEST,on", "GUEST,off", "HOST,on", "HOST,off"})
    void shouldDeliverWhatWasWrittenBeforeAProxyIsStopped(final Role stopped, final String extensions) {
        final byte[] bytes = Pattern.bytes(Seeds.seed("DrainTest"), MAX_LENGTH);
        try (ProxyPair pair = ProxyPair.processes(directory, "--extensions", extensions)) {
            // From the side that stops, and towards it.
            final Endpoint[] out = pair.connect(stopped);
            final Endpoint[] in = pair.connect(stopped == Role.HOST ? Role.GUEST : Role.HOST);
            final int written = (int) out[0].sendUntilStalled(bytes, MAX_LENGTH);
            final Endpoint[] pipe = Endpoint.pipe();
            in[0].send("pipe", pipe[0]);
            final Endpoint received = in[1].receive().only();
            pipe[1].write("last words");
            final ProxyProcess process = stopped == Role.HOST ? pair.hostProcess() : pair.guestProcess();
            process.signal("TERM");
            final CompletableFuture<byte[]> reading = Background.start(out[1]::readToEnd);
            assertEquals("last words", received.readText(10));
            assertArrayEquals(Arrays.copyOf(bytes, written), Background.join(reading));
            assertEquals(0, process.awaitExit(), process::toString);
            Endpoint.closeAll(out);
            Endpoint.closeAll(in);
            Endpoint.closeAll(pipe[0], pipe[1], received);
        }
    }

    @Test
    void shouldStopInTimeWhateverAReaderDoes() {
        try (ProxyPair pair = ProxyPair.processes(directory, "--drain-timeout", "1")) {
            final Endpoint[] ends = pair.connect(Role.GUEST);
            final long written = ends[0].sendUntilStalled(new byte[1 << 16], MAX_LENGTH);
            assertTrue(written > 0);
            pair.guestProcess().signal("TERM");
            assertEquals(0, pair.guestProcess().awaitExit(), () -> pair.guestProcess().toString());
            pair.guestProcess().awaitErrorLine(
                "stopped after draining for 1000 ms, with 1 sessions still open; lost are 0 bytes for applications");
            Endpoint.closeAll(ends);
        }
    }
}
