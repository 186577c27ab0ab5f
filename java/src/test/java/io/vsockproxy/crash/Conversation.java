/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.crash;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.Received;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/**
 * One of two applications that use all features with each other at the same time: bytes in both directions on the
 * connection, on a passed socket of each kind that shows its end, and through pipes, and reads of a passed file.
 */
final class Conversation implements AutoCloseable {
    private static final int FILE_LENGTH = 1 << 20;

    private final String name;
    private final List<Endpoint> descriptors = new ArrayList<>();
    private final List<Activity> activities = new ArrayList<>();
    private Activity fileReader;

    private Conversation(final String name) {
        this.name = name;
    }

    /** Begins one on a connection. Takes ownership. */
    static Conversation begin(final String name, final Endpoint connection) {
        final Conversation conversation = new Conversation(name);
        conversation.descriptors.add(connection);
        try {
            conversation.offer(connection);
        } catch (final RuntimeException | AssertionError e) {
            conversation.close();
            throw e;
        }
        return conversation;
    }

    /** Joins one that another application begins. Takes ownership. */
    static Conversation join(final String name, final Endpoint connection) {
        final Conversation conversation = new Conversation(name);
        conversation.descriptors.add(connection);
        try {
            conversation.accept(connection);
        } catch (final RuntimeException | AssertionError e) {
            conversation.close();
            throw e;
        }
        return conversation;
    }

    /** All but reading the file, which goes on without the application that it came from. */
    List<Activity> streams() {
        return activities.stream().filter(activity -> activity != fileReader).toList();
    }

    /** Reading the file; null where it was passed from here. */
    Activity fileReader() {
        return fileReader;
    }

    /** All of it. */
    List<Activity> activities() {
        return List.copyOf(activities);
    }

    /** Whether any of it is over. */
    boolean hasAny(final Predicate<Activity> what) {
        return activities.stream().anyMatch(what);
    }

    @Override
    public void close() {
        if (fileReader != null) {
            // While all others still receive: without flow control, their bytes are on the link in front of its
            // answers.
            fileReader.stop();
        }
        Activity.stopAll(activities);
        descriptors.forEach(Endpoint::close);
    }

    private void offer(final Endpoint connection) {
        final Endpoint[] stream = keep(Endpoint.socketPair(Constants.SOCK_STREAM));
        final Endpoint[] packets = keep(Endpoint.socketPair(Constants.SOCK_SEQPACKET));
        final Endpoint[] there = keep(Endpoint.pipe());
        final Endpoint[] back = keep(Endpoint.pipe());
        final Endpoint file = keep(FileCalls.memfd(Activity.content(FILE_LENGTH)))[0];
        final Endpoint[] passed = {stream[1], packets[1], there[0], back[1], file};
        connection.send("d", passed);
        for (final Endpoint given : passed) {
            descriptors.remove(given);
            given.close();
        }
        talk(connection, stream[0], packets[0]);
        activities.add(Activity.writing(name + ": writing", there[1]));
        activities.add(Activity.reading(name + ": reading", back[0]));
    }

    private void accept(final Endpoint connection) {
        final Received received = connection.receive(1);
        descriptors.addAll(received.descriptors());
        if (received.descriptors().size() != 5) {
            throw new AssertionError("descriptors: " + received.descriptors().size());
        }
        talk(connection, received.descriptors().get(0), received.descriptors().get(1));
        activities.add(Activity.reading(name + ": reading", received.descriptors().get(2)));
        activities.add(Activity.writing(name + ": writing", received.descriptors().get(3)));
        fileReader = Activity.readingFile(name + ": reading a file", received.descriptors().get(4), FILE_LENGTH);
        activities.add(fileReader);
    }

    private void talk(final Endpoint... sockets) {
        final String[] kinds = {"connection", "stream", "seqpacket"};
        for (int i = 0; i < sockets.length; i++) {
            activities.add(Activity.receiving(name + ": receiving on a " + kinds[i], sockets[i]));
            activities.add(Activity.sending(name + ": sending on a " + kinds[i], sockets[i]));
        }
    }

    private Endpoint[] keep(final Endpoint... opened) {
        descriptors.addAll(List.of(opened));
        return opened;
    }
}
