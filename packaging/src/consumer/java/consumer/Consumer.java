/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package consumer;

import io.vsockproxy.Forward;
import io.vsockproxy.LinkAddress;
import io.vsockproxy.Role;
import io.vsockproxy.VsockProxy;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * Carries a few bytes through a host and a guest in this JVM. Its argument is an empty directory for their sockets; it
 * prints what arrived.
 */
public final class Consumer {
    private static final String TEXT = "through two proxies";
    private static final long READY_TIMEOUT_S = 20;

    private Consumer() {
    }

    /** See the class. */
    public static void main(final String[] args) throws Exception {
        final Path directory = Path.of(args[0]);
        final String service = directory.resolve("service").toString();
        final String local = directory.resolve("local").toString();
        final LinkAddress link = LinkAddress.parse("unix:" + directory.resolve("link"));
        final VsockProxy.Context host = new VsockProxy.Context().role(Role.HOST).address(link).allowConnect(service);
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
            }
        }
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
}
