/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package consumer;

import io.vsockproxy.Forward;
import io.vsockproxy.LinkAddress;
import io.vsockproxy.Role;
import io.vsockproxy.VsockProxy;
import io.vsockproxy.channel.Channel;
import io.vsockproxy.channel.ChannelHandler;
import io.vsockproxy.channel.PassedDescriptors;
import io.vsockproxy.posix.Errno;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Carries a few bytes through a host and a guest in this JVM: between two sockets, and between two components. Its
 * argument is an empty directory for their sockets; it prints what arrived.
 */
public final class Consumer {
    private static final String TEXT = "through two proxies";
    private static final String COMPONENT = "component";
    private static final long READY_TIMEOUT_S = 20;

    private Consumer() {
    }

    /** See the class. */
    public static void main(final String[] args) throws Exception {
        final Path directory = Path.of(args[0]);
        final String service = directory.resolve("service").toString();
        final String local = directory.resolve("local").toString();
        final LinkAddress link = LinkAddress.parse("unix:" + directory.resolve("link"));
        final VsockProxy.Context host = new VsockProxy.Context().role(Role.HOST).address(link).allowConnect(service)
            .accept(COMPONENT, (peer, name) -> Consumer::answer);
        final VsockProxy.Context guest = new VsockProxy.Context().role(Role.GUEST).address(link)
            .forward(new Forward(local, service));

        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
            VsockProxy hostProxy = VsockProxy.launch(host)) {
            server.bind(UnixDomainSocketAddress.of(service));
            hostProxy.ready().get(READY_TIMEOUT_S, TimeUnit.SECONDS);
            try (VsockProxy guestProxy = VsockProxy.launch(guest)) {
                guestProxy.ready().get(READY_TIMEOUT_S, TimeUnit.SECONDS);
                try (SocketChannel client = SocketChannel.open(UnixDomainSocketAddress.of(local));
                    SocketChannel served = server.accept()) {
                    client.write(ByteBuffer.wrap(TEXT.getBytes(StandardCharsets.US_ASCII)));
                    System.out.println("arrived: " + read(served, TEXT.length()));
                }
                final Asking asking = new Asking();
                guestProxy.connect(COMPONENT, asking);
                System.out.println("answered: " + asking.answer.get(READY_TIMEOUT_S, TimeUnit.SECONDS));
            }
        }
    }

    /** Gives everything back. */
    private static int answer(
        final Channel channel,
        final DirectBuffer buffer,
        final int offset,
        final int length,
        final PassedDescriptors descriptors) {
        return Math.max(0, channel.offer(buffer, offset, length));
    }

    private static String read(final SocketChannel channel, final int length) throws IOException {
        final ByteBuffer bytes = ByteBuffer.allocate(length);
        while (bytes.hasRemaining()) {
            if (channel.read(bytes) == -1) {
                throw new IOException("ended after " + bytes.position() + " of " + length + " bytes");
            }
        }
        return new String(bytes.array(), StandardCharsets.US_ASCII);
    }

    /** The component that asks. */
    private static final class Asking implements ChannelHandler {
        private final CompletableFuture<String> answer = new CompletableFuture<>();

        @Override
        public void onConnected(final Channel channel) {
            final byte[] bytes = TEXT.getBytes(StandardCharsets.US_ASCII);
            channel.offer(new UnsafeBuffer(bytes), 0, bytes.length);
        }

        @Override
        public void onConnectFailed(final int errno) {
            answer.completeExceptionally(new IOException("connect: " + Errno.name(errno)));
        }

        @Override
        public int onData(
            final Channel channel,
            final DirectBuffer buffer,
            final int offset,
            final int length,
            final PassedDescriptors descriptors) {
            answer.complete(buffer.getStringWithoutLengthAscii(offset, length));
            channel.close();
            return length;
        }
    }
}
