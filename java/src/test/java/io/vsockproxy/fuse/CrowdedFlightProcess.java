/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Syscalls;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Mounts on the directory given, and opens files there. It answers each command by a line:
 * <ul>
 * <li>{@code crowd}: puts as many descriptors in flight, sent and not received, as the kernel allows, and says why it
 *     allows no more;</li>
 * <li>{@code clear}: no longer;</li>
 * <li>{@code open NAME}: begins to open a file whose content is its name;</li>
 * <li>{@code read NAME}: the content of what was opened as that file, or why it was not.</li>
 * </ul>
 *
 * <p>It begins with a line that says whether it has mounted. It ends at the end of its input.
 */
public final class CrowdedFlightProcess {
    private static final int IN_ONE_MESSAGE = 200;
    private static final int PIECE_OFFSET = 4096;

    private final Memory memory = Memory.allocate(2 * PIECE_OFFSET);
    private final List<OwnedFd> crowded = new ArrayList<>();
    private final Map<String, CompletableFuture<OwnedFd>> opened = new HashMap<>();
    private final Fixture fixture;

    private CrowdedFlightProcess(final Path directory) throws Exception {
        fixture = new Fixture(directory);
        IoVec.set(
            new UnsafeBuffer(memory.buffer(), PIECE_OFFSET, IoVec.LENGTH), 0, memory.address(), Integer.BYTES);
    }

    /** See the class. */
    public static void main(final String[] args) throws Exception {
        final CrowdedFlightProcess process;
        try {
            process = new CrowdedFlightProcess(Path.of(args[0]));
        } catch (final MountException e) {
            System.out.println(e.getMessage());
            return;
        }
        System.out.println("mounted");
        final BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            System.out.println(process.perform(line.split(" ")));
        }
        process.fixture.end();
        System.exit(0);
    }

    private String perform(final String[] command) throws Exception {
        return switch (command[0]) {
            case "crowd" -> Errno.name(-crowd());
            case "clear" -> {
                crowded.forEach(OwnedFd::close);
                yield "cleared";
            }
            case "open" -> {
                final byte[] content = command[1].getBytes(StandardCharsets.US_ASCII);
                opened.put(command[1], fixture.startOpen(new MemoryBackend(content), Constants.O_RDONLY));
                yield "begun";
            }
            case "read" -> read(opened.get(command[1]));
            default -> throw new IllegalArgumentException(command[0]);
        };
    }

    private int crowd() {
        for (;;) {
            Syscalls.socketpair(
                Constants.AF_UNIX, Constants.SOCK_SEQPACKET | Constants.SOCK_CLOEXEC, 0, memory.address());
            crowded.add(OwnedFd.of(memory.buffer().getInt(0)));
            crowded.add(OwnedFd.of(memory.buffer().getInt(Integer.BYTES)));
            final int fd = crowded.get(crowded.size() - 1).fd();
            for (int i = 0; i < IN_ONE_MESSAGE; i++) {
                memory.buffer().putInt(2 * Integer.BYTES + i * Integer.BYTES, 0);
            }
            final int sent = Syscalls.sendmsg(
                fd, memory.address(PIECE_OFFSET, IoVec.LENGTH), 1, Constants.MSG_NOSIGNAL | Constants.MSG_DONTWAIT,
                memory.address(2 * Integer.BYTES, IN_ONE_MESSAGE * Integer.BYTES), IN_ONE_MESSAGE);
            if (sent < 0) {
                return sent;
            }
        }
    }

    private static String read(final CompletableFuture<OwnedFd> file) throws Exception {
        try (OwnedFd descriptor = file.get(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS); Client client = new Client()) {
            return new String(client.bytes(descriptor.fd(), 0, 100), StandardCharsets.US_ASCII);
        } catch (final ExecutionException e) {
            return e.getCause().getMessage();
        }
    }
}
