/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Callers who were sent signals, very many of them. */
class FuseInterruptsTest {
    private static final int CALLERS = 1000;

    private final MemoryBackend backend = new MemoryBackend(10);
    private final FuseNode node = new FuseNode(2, new FuseName(1, 2), Constants.O_RDWR, backend, 0);
    private final FuseRequests requests = new FuseRequests(CALLERS);
    /** The numbers of those that were answered EINTR. */
    private final List<Object> interrupted = new ArrayList<>();
    private final FuseReplies replies = (FuseReplies) Proxy.newProxyInstance(
        FuseReplies.class.getClassLoader(), new Class<?>[] {FuseReplies.class}, (self, method, arguments) -> {
            if (method.getName().equals("ended")) {
                requests.release((FuseRequest) arguments[0]);
            } else if (method.getName().equals("error") && arguments[1].equals(Errno.EINTR)) {
                interrupted.add(arguments[0]);
            }
            return null;
        });
    private final FuseInterrupts interrupts = new FuseInterrupts(requests, null, this::isDying);
    private final List<FuseRequest> waiting = new ArrayList<>();
    private boolean dying;
    /** How often it was asked. */
    private int questions;

    @BeforeEach
    void sendSignals() {
        for (int i = 0; i < CALLERS; i++) {
            waiting.add(requests.acquire(replies, false).begin(FuseRequest.Kind.READ, i, node, 0, 10).taskId(i));
        }
        for (int i = 0; i < CALLERS; i++) {
            interrupts.onInterrupt(i);
        }
        assertTrue(interrupts.hasSurvivors());
        assertEquals(CALLERS, questions);
    }

    @AfterEach
    void free() {
        backend.free();
    }

    /** To look after one is to read a file of /proc. */
    @Test
    void shouldLookAfterFewOfThemAtOnceAndAfterAllInTheEnd() {
        dying = true;
        int reviews = 0;
        while (interrupts.hasSurvivors()) {
            review();
            reviews++;
        }
        assertTrue(reviews > 1);
        assertEquals(LongStream.range(0, CALLERS).boxed().collect(Collectors.<Object>toSet()),
            new HashSet<>(interrupted));
        assertEquals(CALLERS, interrupted.size());
    }

    @Test
    void shouldWatchNeitherACallerThatHasBeenAnsweredNorTheNextRequestInTheSameObject() {
        waiting.forEach(request -> request.replyError(Errno.EIO));
        final Set<FuseRequest> next = new HashSet<>();
        for (int i = 0; i < CALLERS; i++) {
            next.add(requests.acquire(replies, false).begin(FuseRequest.Kind.READ, CALLERS + i, node, 0, 10));
        }
        assertTrue(next.containsAll(waiting));
        dying = true;
        questions = 0;
        review();
        assertEquals(0, questions);
        assertEquals(List.of(), interrupted);
        assertFalse(interrupts.hasSurvivors());
    }

    private void review() {
        questions = 0;
        interrupts.review();
        assertTrue(questions <= FuseInterrupts.MAX_REVIEWED, "questions=" + questions);
    }

    private boolean isDying(final int taskId) {
        questions++;
        return dying;
    }
}
