/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.LinkAddress;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.proto.FstatResponse;
import io.vsockproxy.proto.VSockMessage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;

/**
 * A guest process with a mount, an application connected through it, and the raw host at the other end, which owns the
 * files that it passes. Its stream has handle 1.
 */
public final class MountedGuest implements AutoCloseable {
    private static final long WINDOW = 1 << 20;

    private final Endpoint listening;
    private final ProxyProcess guest;
    private final RawPeer owner;
    private final Endpoint application;

    /**
     * Starts it and waits until the application is connected.
     *
     * @param directory empty.
     * @param options   more of the guest's.
     */
    public MountedGuest(final Path directory, final String... options) throws IOException {
        this(directory, false, options);
    }

    private MountedGuest(final Path directory, final boolean greets, final String... options) throws IOException {
        final LinkAddress link = TestLink.in(directory);
        final Path forward = directory.resolve("forward");
        listening = Endpoint.listen(link);
        guest = ProxyProcess.start(Stream.concat(
            Stream.of("guest", "--connect", link.toString(), "--forward", forward + "=/remote",
                "--files", directory.resolve("files").toString()),
            List.of(options).stream()).toArray(String[]::new));
        owner = RawPeer.hostOf(listening);
        if (greets) {
            owner.send(NoticePeer.greeting(WINDOW));
        }
        guest.awaitReady();
        application = Endpoint.connect(forward);
        owner.send(Messages.connectResponse(owner.receive().getConnectRequest().getCookie(), 0, 1));
    }

    /** As the constructor; the owner says that it knows the extension. */
    public static MountedGuest greeted(final Path directory) throws IOException {
        return new MountedGuest(directory, true);
    }

    /** The other end of its link. */
    public RawPeer owner() {
        return owner;
    }

    /** Who receives the files. */
    public Endpoint application() {
        return application;
    }

    /** Passes a regular file that is open for reading and writing, with {@code text} to go with it. */
    public void pass(final String text, final long handle) {
        pass(text, handle, 0);
    }

    private void pass(final String text, final long handle, final long position) {
        owner.send(Messages.data(1, text, FileDescriptor.newBuilder().setType(FileDescriptor.Type.REGULAR_FILE)
            .setHandle(handle).setFlags(Constants.O_RDWR).setPosition(position).build()));
    }

    /** Passes one of {@code size} bytes, and answers what is asked about it: what the application receives. */
    public Endpoint passAndReceive(final long handle, final long size) {
        return passAndReceive(handle, size, 0);
    }

    /** As the other, where its owner has read or written up to {@code position}. */
    public Endpoint passAndReceive(final long handle, final long size, final long position) {
        pass("a file", handle, position);
        final CompletableFuture<Endpoint> received = Background.start(() -> application.receive().only());
        answerAttributes(size);
        return Background.join(received);
    }

    /** Waits until it asks for a file's attributes, and tells the size. */
    public void answerAttributes(final long size) {
        final VSockMessage message = owner.receive();
        assertTrue(message.hasFstatRequest(), message::toString);
        owner.send(VSockMessage.newBuilder().setFstatResponse(FstatResponse.newBuilder()
            .setCookie(message.getFstatRequest().getCookie()).setSize(size)).build());
    }

    @Override
    public void close() {
        application.close();
        // Before the guest, which would wait for the host's answers to closes.
        owner.close();
        listening.close();
        guest.signal("TERM");
        guest.awaitExit();
        guest.close();
    }
}
