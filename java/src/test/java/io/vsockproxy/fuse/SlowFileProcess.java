/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.testing.Pattern;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.agrona.MutableDirectBuffer;

/**
 * A file on a slow device, simulated by a mount of this process, where requests wait until they are released.
 * Arguments: the directory, the file's length and the seed of its {@link Pattern}. It prints the number of an open
 * descriptor of the file. After the command {@code hold}, requests wait, and it prints the name of each; {@code next}
 * releases those that wait now, {@code release} all from now on. It ends at the end of its input.
 */
public final class SlowFileProcess {
    private SlowFileProcess() {
    }

    /** See the class. */
    public static void main(final String[] args) throws Exception {
        final Fixture fixture = new Fixture(Path.of(args[0]));
        final byte[] content = Pattern.bytes(Long.parseLong(args[2]), Integer.parseInt(args[1]));
        final SlowBackend backend = new SlowBackend(content);
        try (OwnedFd file = fixture.open(backend, Constants.O_RDWR)) {
            System.out.println(file.fd());
            serve(fixture, backend);
        } finally {
            fixture.run(backend::release);
            fixture.end();
            // Other requests never wait.
            System.exit(0);
        }
    }

    private static void serve(final Fixture fixture, final SlowBackend backend) throws Exception {
        final BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = readLine(in); line != null; line = readLine(in)) {
            switch (line) {
                case "hold" -> fixture.run(() -> backend.holds = true);
                case "next" -> fixture.run(backend::releaseWaiting);
                case "release" -> fixture.run(backend::release);
                default -> throw new IllegalArgumentException(line);
            }
            System.out.println("done");
        }
    }

    private static String readLine(final BufferedReader in) {
        try {
            return in.readLine();
        } catch (final IOException e) {
            return null;
        }
    }

    /** Confined to the loop's thread. */
    private static final class SlowBackend extends MemoryBackend {
        private final List<Runnable> waiting = new ArrayList<>();
        private boolean holds;

        SlowBackend(final byte[] content) {
            super(content);
        }

        @Override
        public void read(final FuseRequest request, final long offset, final int length) {
            perform("read", () -> super.read(request, offset, length));
        }

        @Override
        public boolean write(
            final FuseRequest request, final long offset, final MutableDirectBuffer buffer, final int index,
            final int length) {
            super.holdsWrites = holds;
            super.write(request, offset, buffer, index, length);
            if (holds) {
                perform("write", () -> request.replyWritten(length));
            }
            return true;
        }

        @Override
        public void getattr(final FuseRequest request) {
            perform("fstat", () -> super.getattr(request));
        }

        @Override
        public void truncate(final FuseRequest request, final long length) {
            perform("ftruncate", () -> super.truncate(request, length));
        }

        @Override
        public void fsync(final FuseRequest request, final boolean dataOnly) {
            perform(dataOnly ? "fdatasync" : "fsync", () -> super.fsync(request, dataOnly));
        }

        private void perform(final String name, final Runnable action) {
            if (holds) {
                waiting.add(action);
                System.out.println(name);
            } else {
                action.run();
            }
        }

        private void release() {
            holds = false;
            releaseWaiting();
        }

        private void releaseWaiting() {
            waiting.forEach(Runnable::run);
            waiting.clear();
        }
    }
}
