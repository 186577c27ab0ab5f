/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.config.SessionLimits;
import io.vsockproxy.config.SocketAccess;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.socket.UnixListeningSocket;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Limits;
import java.lang.reflect.RecordComponent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Contradictory contexts, and proxies that cannot be made.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class ContextTest {
    @TempDir
    private Path directory;

    @Test
    void shouldNameTheValueThatIsMissingOrOutOfItsRange() {
        assertRefused("role=null", context -> context.role(null));
        assertRefused("fileWorkerThreads=0, min=1", context -> context.fileWorkerThreads(0));
        assertRefused("maxFrameLength=1048576, min=1048640", context -> context.limits(
            SessionLimits.DEFAULTS.toBuilder().maxFrameLength(1 << 20).build()));
        assertRefused("maxSessions=0, min=1", context -> context.maxSessions(0));
        assertRefused("cpu=-2, min=-1", context -> context.cpu(-2));
        assertRefused("spinLimitNs=-1, min=0", context -> context.spinLimitNs(-1));
        assertRefused("drainTimeoutNs=-1, min=0", context -> context.drainTimeoutNs(-1));
        assertRefused("livenessIntervalNs=-1, min=0", context -> context.livenessTask(-1, () -> { }));
        assertRefused("vsockBufferLength=1, min=65536", context -> context.vsockBufferLength(1));
        assertRefused("allowConnect=x.sock: neither an absolute path nor", context -> context.allowConnect("x.sock"));
        assertRefused("guests=./x: neither an absolute path nor", context -> context
            .address(LinkAddress.parse("vsock:9900")).guests(Map.of(42, List.of("./x"))));
        assertRefused("can tell guests apart by CID", context -> context.guests(Map.of()));
    }

    @Test
    void shouldNameGuestsBeforeTheyCanBeChanged() {
        try (VsockProxy proxy = VsockProxy.launch(context())) {
            assertThrows(IllegalStateException.class, () -> proxy.guests(Map.of(42, List.of())));
            assertThrows(IllegalArgumentException.class, () -> proxy.guests(Map.of(42, List.of(""))));
        }
    }

    @Test
    void shouldChangeEachLimitAndNoOther() throws ReflectiveOperationException {
        final RecordComponent[] limits = SessionLimits.class.getRecordComponents();
        for (final RecordComponent changed : limits) {
            final Number half = half(changed.getAccessor().invoke(SessionLimits.DEFAULTS));
            final SessionLimits.Builder builder = SessionLimits.DEFAULTS.toBuilder();
            SessionLimits.Builder.class.getMethod(changed.getName(), changed.getType()).invoke(builder, half);
            final SessionLimits built = builder.build();
            for (final RecordComponent limit : limits) {
                assertEquals(
                    limit.equals(changed) ? half : limit.getAccessor().invoke(SessionLimits.DEFAULTS),
                    limit.getAccessor().invoke(built), limit::getName);
            }
        }
    }

    private static Number half(final Object number) {
        if (number instanceof Integer integer) {
            return integer / 2;
        }
        return (Long) number / 2;
    }

    @Test
    void shouldRefuseWhatABufferOrAPathCannotBe() {
        final IllegalArgumentException ring = assertThrows(
            IllegalArgumentException.class, () -> Limits.with(Map.of("outboundLength", 300_000L)));
        assertTrue(ring.getMessage().contains("outboundLength=300000"), ring::getMessage);
        assertThrows(IllegalArgumentException.class, () -> Limits.with(Map.of("inboundWindowLength", 1L)));
        assertThrows(IllegalArgumentException.class, () -> LinkAddress.unix("x".repeat(108)));
        assertThrows(IllegalArgumentException.class, () -> LinkAddress.unix(""));
    }

    @Test
    void shouldBeForOneProxyOnly() {
        final VsockProxy.Context context = context().conclude();
        assertThrows(IllegalStateException.class, () -> VsockProxy.launch(context));
    }

    @Test
    void shouldCloseTheSocketsOfAContextThatIsRefused() {
        final OwnedFd socket =
            UnixListeningSocket.open(directory.resolve("link").toString(), SocketAccess.DEFAULT).descriptor();
        assertRefused("maxSessions=0", context -> context.listeningSocket(socket).maxSessions(0));
        assertFalse(socket.isOpen());
    }

    @Test
    void shouldKeepNothingOpenWhenAProxyCannotBeMade() throws Exception {
        final Path file = Files.createFile(directory.resolve("file"));
        // The first proxy loads classes and opens descriptors that stay.
        assertThrows(RuntimeException.class, () -> VsockProxy.launch(context().filesDirectory(file)));
        final int before = Await.stable(Descriptors::count);
        for (int i = 0; i < 2; i++) {
            final RuntimeException mount =
                assertThrows(RuntimeException.class, () -> VsockProxy.launch(context().filesDirectory(file)));
            assertTrue(mount.getMessage().contains("cannot mount on " + file), mount::toString);
            final Path counters = directory.resolve("missing/counters");
            assertThrows(Exception.class, () -> VsockProxy.embed(context().countersFile(counters)));
        }
        Await.untilEqual(before, Descriptors::count, "open descriptors");
    }

    private void assertRefused(final String message, final UnaryOperator<VsockProxy.Context> fault) {
        final VsockProxy.Context context = fault.apply(context());
        final IllegalArgumentException refused =
            assertThrows(IllegalArgumentException.class, () -> VsockProxy.launch(context));
        assertTrue(refused.getMessage().contains(message), refused::getMessage);
    }

    private VsockProxy.Context context() {
        return new VsockProxy.Context().role(Role.HOST)
            .address(LinkAddress.unix(directory.resolve("link").toString()));
    }
}
