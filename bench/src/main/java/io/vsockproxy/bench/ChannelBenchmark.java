/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.bench;

import io.vsockproxy.Forward;
import io.vsockproxy.LinkAddress;
import io.vsockproxy.Role;
import io.vsockproxy.VsockProxy;
import io.vsockproxy.channel.Channel;
import io.vsockproxy.channel.ChannelClaim;
import io.vsockproxy.channel.ChannelHandler;
import io.vsockproxy.channel.PassedDescriptors;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * A round trip through a host and a guest: between two components, and between two applications with a unix socket at
 * each end.
 *
 * <p>The applications are this thread and one more, and each proxy has a thread of its own, so a round trip wakes a
 * thread six times. The component that asks runs the guest's loop on the benchmark's thread, and the one that answers
 * is on the host's own: two wake-ups. Where one thread runs both proxies' loops, there are none. With {@code -prof gc}
 * the components' round trips allocate nothing.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
    value = 1,
    jvmArgsAppend = {
        "--add-exports", "java.base/jdk.internal.misc=ALL-UNNAMED", "--enable-native-access=ALL-UNNAMED",
        "-XX:+UseSerialGC"
    })
public class ChannelBenchmark {
    private static final String NAME = "echo";
    /** JMH counts what the end of the last round allocates, and what is logged then would be most of that. */
    private static final Logger LOGGER = Logger.getLogger("io.vsockproxy");

    /** Bytes of a message. */
    @Param({"64", "4096"})
    private int length;

    private final ChannelClaim claim = new ChannelClaim();
    private final Asking asking = new Asking();
    private final Asking askingOnOneThread = new Asking();
    private Path directory;
    private VsockProxy host;
    private VsockProxy hostOnOneThread;
    private VsockProxy guestOnOneThread;
    private VsockProxy embedded;
    private VsockProxy forwarding;
    private ServerSocketChannel server;
    private SocketChannel application;
    private UnsafeBuffer message;
    private ByteBuffer bytes;

    /** Starts the proxies and connects both ways. */
    @Setup
    public void open() throws IOException {
        LOGGER.setLevel(Level.WARNING);
        directory = Files.createTempDirectory("vp");
        message = new UnsafeBuffer(ByteBuffer.allocateDirect(length));
        bytes = ByteBuffer.allocateDirect(length);
        final LinkAddress link = LinkAddress.parse("unix:" + directory.resolve("link"));
        final Path target = directory.resolve("target");
        final Path forward = directory.resolve("forward");
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(target));
        final Thread answering = new Thread(this::answer, "answering application");
        answering.setDaemon(true);
        answering.start();
        host = VsockProxy.launch(new VsockProxy.Context().role(Role.HOST).address(link)
            .allowConnect(target.toString()).accept(NAME, (peer, name) -> ChannelBenchmark::giveBack));
        forwarding = VsockProxy.launch(new VsockProxy.Context().role(Role.GUEST).address(link)
            .forward(new Forward(forward.toString(), target.toString())));
        forwarding.ready().join();
        application = SocketChannel.open(UnixDomainSocketAddress.of(forward));
        embedded = VsockProxy.embed(new VsockProxy.Context().role(Role.GUEST).address(link));
        embedded.agent().onStart();
        while (!embedded.ready().isDone()) {
            embedded.agent().doWork(-1);
        }
        embedded.connect(NAME, asking);
        while (asking.channel == null) {
            embedded.agent().doWork(-1);
        }
        openOnOneThread();
    }

    private void openOnOneThread() {
        final LinkAddress link = LinkAddress.parse("unix:" + directory.resolve("other"));
        hostOnOneThread = VsockProxy.embed(new VsockProxy.Context().role(Role.HOST).address(link)
            .accept(NAME, (peer, name) -> ChannelBenchmark::giveBack));
        guestOnOneThread = VsockProxy.embed(new VsockProxy.Context().role(Role.GUEST).address(link));
        hostOnOneThread.agent().onStart();
        guestOnOneThread.agent().onStart();
        while (!guestOnOneThread.ready().isDone()) {
            turnBoth();
        }
        guestOnOneThread.connect(NAME, askingOnOneThread);
        while (askingOnOneThread.channel == null) {
            turnBoth();
        }
    }

    /** Stops everything. */
    @TearDown
    public void close() throws IOException {
        application.close();
        server.close();
        guestOnOneThread.close();
        hostOnOneThread.close();
        embedded.close();
        forwarding.close();
        host.close();
        Files.deleteIfExists(directory.resolve("target"));
        Files.deleteIfExists(directory);
    }

    /** Between components, by offer. */
    @Benchmark
    public long offered() {
        asking.expected += length;
        if (asking.channel.offer(message, 0, length) != length) {
            throw new IllegalStateException("no room");
        }
        return await();
    }

    /** Between components, written in place. */
    @Benchmark
    public long claimed() {
        asking.expected += length;
        if (asking.channel.tryClaim(length, claim) != length) {
            throw new IllegalStateException("no room");
        }
        claim.buffer().putBytes(0, message, 0, length);
        claim.commit();
        return await();
    }

    /** Between components, both on this thread, by offer. */
    @Benchmark
    public long offeredOnOneThread() {
        askingOnOneThread.expected += length;
        if (askingOnOneThread.channel.offer(message, 0, length) != length) {
            throw new IllegalStateException("no room");
        }
        while (askingOnOneThread.received < askingOnOneThread.expected) {
            turnBoth();
        }
        return askingOnOneThread.received;
    }

    /** Between applications, each on a unix socket. */
    @Benchmark
    public void sockets() throws IOException {
        bytes.clear();
        while (bytes.hasRemaining()) {
            application.write(bytes);
        }
        bytes.clear();
        while (bytes.hasRemaining()) {
            application.read(bytes);
        }
    }

    private long await() {
        while (asking.received < asking.expected) {
            embedded.agent().doWork(-1);
        }
        return asking.received;
    }

    private void turnBoth() {
        hostOnOneThread.agent().doWork();
        guestOnOneThread.agent().doWork();
    }

    private void answer() {
        final ByteBuffer answer = ByteBuffer.allocateDirect(length);
        try (SocketChannel accepted = server.accept()) {
            while (accepted.read(answer) >= 0) {
                answer.flip();
                while (answer.hasRemaining()) {
                    accepted.write(answer);
                }
                answer.clear();
            }
        } catch (final IOException e) {
            if (server.isOpen()) {
                throw new IllegalStateException(e);
            }
        }
    }

    private static int giveBack(
        final Channel channel,
        final DirectBuffer buffer,
        final int offset,
        final int length,
        final PassedDescriptors descriptors) {
        return Math.max(0, channel.offer(buffer, offset, length));
    }

    /** The component that asks. */
    private static final class Asking implements ChannelHandler {
        private Channel channel;
        private long received;
        private long expected;

        @Override
        public void onConnected(final Channel newChannel) {
            channel = newChannel;
        }

        @Override
        public int onData(
            final Channel from,
            final DirectBuffer buffer,
            final int offset,
            final int length,
            final PassedDescriptors descriptors) {
            received += length;
            return length;
        }
    }
}
