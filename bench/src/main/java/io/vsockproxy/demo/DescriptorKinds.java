/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Paths;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The kinds of descriptors that the proxies carry. In each, {@code kept} is the end that stays with the sender, and
 * {@code came} the one that the receiver gets.
 */
final class DescriptorKinds {
    /** Those that proxies carry by themselves, in the order in which they are shown. */
    static final List<DescriptorKind> BASIC = List.of(
        new DescriptorKind("stream socket", "both ways, then its end", DescriptorKinds::streamSocket),
        new DescriptorKind("datagram socket", "packets, an empty one too", DescriptorKinds::datagramSocket),
        new DescriptorKind("seqpacket socket", "packets, then its end", DescriptorKinds::seqpacketSocket),
        new DescriptorKind("pipe's read end", "read to its end", DescriptorKinds::pipeReadEnd),
        new DescriptorKind("pipe's write end", "written, closed", DescriptorKinds::pipeWriteEnd),
        new DescriptorKind("pipe inside a passed socket", "read to its end, both ways", DescriptorKinds::nested),
        new DescriptorKind("253 pipes in one message", "each read, in order", DescriptorKinds::many));

    /** Those that need a link which carries descriptors themselves: a unix socket. */
    static final List<DescriptorKind> ON_A_UNIX_LINK = List.of(
        new DescriptorKind("eventfd", "counted on both sides", DescriptorKinds::eventfd),
        new DescriptorKind("directory", "listed", DescriptorKinds::directory));

    /** Those that need proxies with {@code --files}. */
    static final List<DescriptorKind> WITH_FILES = List.of(
        new DescriptorKind("regular file", "read, written, truncated", DescriptorKinds::regularFile));

    private static final int LONG_LENGTH = Channel.MAX_MESSAGE_LENGTH;
    private static final int FILE_LENGTH = 1 << 20;
    private static final int MANY = 253;

    private DescriptorKinds() {
    }

    /** Passes one descriptor and closes the sender's copy of it; the receiver's is returned. */
    private static Channel pass(final Channel from, final Channel to, final Channel given) {
        from.send("here", given);
        given.close();
        final Channel.Message message = to.receive();
        Check.equal("the bytes beside it", "here", message.text());
        Check.equal("descriptors received", 1, message.descriptors().size());
        final Channel came = message.descriptors().get(0);
        Check.that("what came is blocking", came.isBlocking());
        return came;
    }

    private static void streamSocket(final Channel from, final Channel to) {
        final Channel[] pair = Channel.socketPair(Constants.SOCK_STREAM);
        try (Channel kept = pair[0]) {
            try (Channel came = pass(from, to, pair[1])) {
                final String text = "0123456789abcdef".repeat(LONG_LENGTH / 16);
                kept.write(text);
                Check.equal("what came out", text, came.read(text.length()));
                came.write(text);
                Check.equal("what came back", text, kept.read(text.length()));
                Check.that("what was kept is still blocking", kept.isBlocking());
            }
            Check.that("closing it is seen", kept.isAtEnd());
        }
    }

    private static void datagramSocket(final Channel from, final Channel to) {
        final Channel[] pair = Channel.socketPair(Constants.SOCK_DGRAM);
        try (Channel kept = pair[0]; Channel came = pass(from, to, pair[1])) {
            exchangePackets(kept, came);
        }
    }

    private static void seqpacketSocket(final Channel from, final Channel to) {
        final Channel[] pair = Channel.socketPair(Constants.SOCK_SEQPACKET);
        try (Channel kept = pair[0]) {
            try (Channel came = pass(from, to, pair[1])) {
                exchangePackets(kept, came);
            }
            Check.equal("after it was closed", "", kept.receive().text());
        }
    }

    private static void exchangePackets(final Channel kept, final Channel came) {
        for (final String packet : new String[] {"one", "", "three", "4".repeat(LONG_LENGTH)}) {
            kept.send(packet);
            Check.equal("packet", packet, came.receive().text());
            came.send(packet);
            Check.equal("packet back", packet, kept.receive().text());
        }
        // Two packets in a row stay two.
        kept.send("five");
        kept.send("six");
        Check.equal("first of two packets", "five", came.receive().text());
        Check.equal("second of two packets", "six", came.receive().text());
        Check.that("what was kept is still blocking", kept.isBlocking());
    }

    private static void pipeReadEnd(final Channel from, final Channel to) {
        final Channel[] pipe = Channel.pipe();
        try (Channel kept = pipe[1]; Channel came = pass(from, to, pipe[0])) {
            kept.write("down the pipe");
            Check.equal("what came out", "down the pipe", came.read(13));
            Check.that("what was kept is still blocking", kept.isBlocking());
            kept.close();
            Check.that("closing it is seen", came.isAtEnd());
        }
    }

    private static void pipeWriteEnd(final Channel from, final Channel to) {
        final Channel[] pipe = Channel.pipe();
        try (Channel kept = pipe[0]) {
            try (Channel came = pass(from, to, pipe[1])) {
                came.write("up the pipe");
                Check.equal("what came out", "up the pipe", kept.read(11));
                Check.that("what was kept is still blocking", kept.isBlocking());
            }
            Check.that("closing it is seen", kept.isAtEnd());
        }
    }

    /** No stand-in: the very same object, as only a link on AF_UNIX can carry it. */
    private static void eventfd(final Channel from, final Channel to) {
        final OwnedFd kept = OwnedFd.of(PosixException.check(Syscalls.eventfd(0, Constants.EFD_CLOEXEC), "eventfd"));
        try (kept; Memory count = Memory.allocate(Long.BYTES);
            Channel came = pass(from, to, new Channel(kept.duplicate()))) {
            for (final long number : new long[] {7, 35}) {
                count.buffer().putLong(0, number);
                came.writeFully(count.address(), Long.BYTES);
            }
            Syscalls.read(kept.fd(), count.address(), Long.BYTES);
            Check.equal("what it counted to", 42L, count.buffer().getLong(0));
        }
    }

    private static void directory(final Channel from, final Channel to) {
        Path made = null;
        try {
            made = Files.createTempDirectory("vsock-proxy-demo-");
            Files.createFile(made.resolve("inside"));
            final Channel opened = new Channel(OwnedFd.of(PosixException.check(
                Paths.open(made.toString(), Constants.O_RDONLY | Constants.O_DIRECTORY | Constants.O_CLOEXEC),
                "open " + made)));
            try (Channel came = pass(from, to, opened)) {
                Check.that("the file is in it", Files.exists(Path.of("/proc/self/fd/" + came.fd(), "inside")));
            } finally {
                Files.delete(made.resolve("inside"));
                Files.delete(made);
            }
        } catch (final IOException e) {
            throw new DemoException("directory " + made, e);
        }
    }

    /** A stand-in whose reads and writes go to the owner's file. */
    private static void regularFile(final Channel from, final Channel to) {
        Path made = null;
        try {
            made = Files.createTempFile("vsock-proxy-demo-", "");
            final String text = "0123456789abcdef".repeat(FILE_LENGTH / 16);
            Files.writeString(made, text);
            final Channel opened = new Channel(OwnedFd.of(PosixException.check(
                Paths.open(made.toString(), Constants.O_RDWR | Constants.O_CLOEXEC), "open " + made)));
            try (Channel came = pass(from, to, opened); Memory memory = Memory.allocate(FILE_LENGTH)) {
                came.readFully(memory.address(), FILE_LENGTH);
                Check.that("it reads as the owner's file", text.equals(memory.buffer().getStringWithoutLengthAscii(
                    0, FILE_LENGTH)));
                came.write("appended");
                Check.equal("the owner's file", text + "appended", Files.readString(made));
                PosixException.check(Syscalls.ftruncate(came.fd(), 3), "ftruncate");
                Check.equal("the owner's file", text.substring(0, 3), Files.readString(made));
            } finally {
                Files.delete(made);
            }
        } catch (final IOException e) {
            throw new DemoException("file " + made, e);
        }
    }

    private static void nested(final Channel from, final Channel to) {
        final Channel[] pair = Channel.socketPair(Constants.SOCK_STREAM);
        try (Channel kept = pair[0]; Channel came = pass(from, to, pair[1])) {
            pipeReadEnd(kept, came);
            pipeReadEnd(came, kept);
        }
    }

    private static void many(final Channel from, final Channel to) {
        final List<Channel> kept = new ArrayList<>();
        final List<Channel> given = new ArrayList<>();
        final List<Channel> came = new ArrayList<>();
        try {
            for (int i = 0; i < MANY; i++) {
                final Channel[] pipe = Channel.pipe();
                given.add(pipe[0]);
                kept.add(pipe[1]);
            }
            from.send("here", given.toArray(new Channel[0]));
            final Channel.Message message = to.receive();
            came.addAll(message.descriptors());
            Check.equal("the bytes beside them", "here", message.text());
            Check.equal("descriptors received", MANY, came.size());
            for (int i = 0; i < MANY; i++) {
                final String number = String.format("%03d", i);
                kept.get(i).write(number);
                Check.equal("what came out of descriptor " + i, number, came.get(i).read(3));
            }
        } finally {
            kept.forEach(Channel::close);
            given.forEach(Channel::close);
            came.forEach(Channel::close);
        }
    }
}
