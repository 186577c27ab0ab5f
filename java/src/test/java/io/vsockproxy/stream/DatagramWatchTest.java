/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class DatagramWatchTest {
    private static final int PER_LOOK = DatagramWatch.MAX_SOCKETS_PER_LOOK;
    private static final int LOOKS = 3;
    private static final int SOME = 5;
    private static final int PACKET_LENGTH = 1 << 16;

    private final List<Throwable> faults = new ArrayList<>();
    private final List<SocketStream> streams = new ArrayList<>();
    private final List<Endpoint> others = new ArrayList<>();
    private int descriptorsBefore;
    private EventLoop loop;
    private StreamCommons commons;
    private TakingHandler handler;
    private DatagramWatch watch;

    @BeforeEach
    void open() {
        Endpoint.closeAll(Endpoint.socketPair(Constants.SOCK_DGRAM));
        descriptorsBefore = Await.stable(Descriptors::count);
        loop = new EventLoop(0, faults::add);
        commons = new StreamCommons(loop, PACKET_LENGTH);
        handler = new TakingHandler();
        watch = new DatagramWatch(loop, commons.inspector());
    }

    @AfterEach
    void close() throws InterruptedException {
        streams.forEach(Stream::close);
        others.forEach(Endpoint::close);
        watch.close();
        commons.close();
        loop.close();
        handler.close();
        assertEquals(List.of(), faults);
        Descriptors.assertCount(descriptorsBefore);
    }

    @Test
    void shouldLookAtABoundedNumberAtOnceAndAtEachInTurn() {
        add(LOOKS * PER_LOOK);
        closeOthers(0, streams.size());
        for (int looks = 1; looks <= LOOKS; looks++) {
            watch.look();
            assertEquals(handles(0, looks * PER_LOOK), handler.ended());
        }
        assertEquals(0, watch.descriptorCount());
    }

    @Test
    void shouldComeRoundToThoseBehindOthersThatStay() {
        add(LOOKS * PER_LOOK);
        closeOthers(streams.size() - SOME, streams.size());
        for (int looks = 1; looks < LOOKS; looks++) {
            watch.look();
            assertEquals(List.of(), handler.ended());
        }
        watch.look();
        assertEquals(handles(streams.size() - SOME, streams.size()), handler.ended());
        // Those that were checked first are the next again.
        closeOthers(0, SOME);
        watch.look();
        assertEquals(SOME + SOME, handler.ended().size());
    }

    @Test
    void shouldSkipNoneWhenOthersHaveClosedInBetween() {
        add(LOOKS * PER_LOOK);
        watch.look();
        // Some that it has checked, and some that are next.
        streams.subList(0, SOME).forEach(Stream::close);
        streams.subList(PER_LOOK, PER_LOOK + SOME).forEach(Stream::close);
        closeOthers(0, streams.size());
        watch.look();
        final int next = 2 * PER_LOOK + SOME;
        assertEquals(handles(PER_LOOK + SOME, next), handler.ended());
        watch.look();
        watch.look();
        final List<Long> expected = new ArrayList<>(handles(PER_LOOK + SOME, streams.size()));
        expected.addAll(handles(SOME, PER_LOOK));
        assertEquals(expected, handler.ended());
    }

    @Test
    void shouldEndASocketWithUnreadDataOnlyWhenThatHasBeenRead() {
        add(1);
        others.get(0).send("last");
        closeOthers(0, 1);
        watch.look();
        assertEquals(List.of(), handler.ended());
        streams.get(0).read(Constants.EPOLLIN);
        watch.look();
        assertEquals(handles(0, 1), handler.ended());
    }

    @Test
    void shouldCheckFewSocketsAtTheFullRateAndManyAsTheCostAllows() {
        final long intervalNs = TimeUnit.MILLISECONDS.toNanos(500);
        final int many = 100 * PER_LOOK;
        assertEquals(intervalNs, DatagramWatch.pauseNs(1, 0));
        assertEquals(intervalNs, DatagramWatch.pauseNs(PER_LOOK, intervalNs));
        assertEquals(intervalNs / 100, DatagramWatch.pauseNs(many, 0));
        assertEquals(TimeUnit.MILLISECONDS.toNanos(38), DatagramWatch.pauseNs(many, TimeUnit.MILLISECONDS.toNanos(2)));
        assertEquals(intervalNs, DatagramWatch.pauseNs(many, intervalNs));
    }

    private void add(final int count) {
        for (int i = 0; i < count; i++) {
            final Endpoint[] pair = Endpoint.socketPair(Constants.SOCK_DGRAM);
            final OwnedFd own = OwnedFd.of(Syscalls.fcntl(pair[0].fd(), Constants.F_DUPFD_CLOEXEC, 0));
            pair[0].close();
            others.add(pair[1]);
            // Not started, so that only this test's watch checks it.
            final SocketStream stream = new SocketStream(
                loop, StreamKind.SOCKET_DGRAM, i, own, Origin.PROXY, PACKET_LENGTH, commons, handler);
            streams.add(stream);
            watch.add(stream);
        }
    }

    private void closeOthers(final int from, final int to) {
        others.subList(from, to).forEach(Endpoint::close);
    }

    private static List<Long> handles(final int from, final int to) {
        return LongStream.range(from, to).boxed().toList();
    }
}
