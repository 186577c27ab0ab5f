/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.endtoend;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.newsclub.net.unix.AFUNIXServerSocketChannel;
import org.newsclub.net.unix.AFUNIXSocketAddress;
import org.newsclub.net.unix.AFUNIXSocketChannel;

/**
 * A relay written in the usual way with junixsocket: it listens on one unix socket and connects each accepted
 * connection to another; one thread for each direction does blocking reads and writes.
 */
public final class JunixsocketRelay {
    private static final int BUFFER_LENGTH = 64 << 10;

    private JunixsocketRelay() {
    }

    /**
     * Runs until it is killed.
     *
     * @param arguments the path to listen on, the path to connect to.
     */
    public static void main(final String[] arguments) throws IOException {
        final AFUNIXSocketAddress target = AFUNIXSocketAddress.of(new File(arguments[1]));
        try (AFUNIXServerSocketChannel server = AFUNIXServerSocketChannel.open()) {
            server.bind(AFUNIXSocketAddress.of(new File(arguments[0])));
            while (true) {
                final AFUNIXSocketChannel near = server.accept();
                final AFUNIXSocketChannel far = AFUNIXSocketChannel.open();
                far.connect(target);
                start("there", near, far);
                start("back", far, near);
            }
        }
    }

    private static void start(final String name, final AFUNIXSocketChannel from, final AFUNIXSocketChannel to) {
        final Thread thread = new Thread(() -> passOn(from, to), name);
        thread.setDaemon(true);
        thread.start();
    }

    /** Until either end is over; then both are. */
    private static void passOn(final AFUNIXSocketChannel from, final AFUNIXSocketChannel to) {
        final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_LENGTH);
        try (from; to) {
            while (from.read(buffer) >= 0) {
                buffer.flip();
                while (buffer.hasRemaining()) {
                    to.write(buffer);
                }
                buffer.clear();
            }
        } catch (final IOException e) {
            // One end is closed; the other direction's thread may have noticed first.
            return;
        }
    }
}
