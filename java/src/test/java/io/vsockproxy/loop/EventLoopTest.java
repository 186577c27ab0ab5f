/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.loop;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Seeds;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 60, unit = TimeUnit.SECONDS)
class EventLoopTest {
    private static final long LONG_NS = TimeUnit.SECONDS.toNanos(30);

    private final List<Throwable> faults = new ArrayList<>();
    private final List<Endpoint> opened = new ArrayList<>();
    private int descriptorsBefore;
    private EventLoop loop;

    @BeforeEach
    void open() {
        assertEquals("EAGAIN", Errno.name(Errno.EAGAIN));
        descriptorsBefore = Await.stable(Descriptors::count);
        loop = new EventLoop(0, faults::add);
    }

    @AfterEach
    void close() throws InterruptedException {
        loop.close();
        opened.forEach(Endpoint::close);
        Descriptors.assertCount(descriptorsBefore);
    }

    @Test
    void shouldCallBackWhatIsReady() {
        final Endpoint[] pair = pair();
        final AtomicInteger seen = new AtomicInteger();
        loop.register(pair[0].fd(), Constants.EPOLLIN, seen::set);
        assertEquals(0, loop.turn(0));
        pair[1].send("x");
        assertEquals(1, loop.turn(LONG_NS));
        assertEquals(Constants.EPOLLIN, seen.get());
        // Level-triggered: what was not read is reported again.
        assertEquals(1, loop.turn(LONG_NS));
    }

    @Test
    void shouldDropEventsOfARegistrationThatEndedEarlierInTheBatch() {
        final Endpoint[] first = pair();
        final Endpoint[] second = pair();
        final Registration[] registrations = new Registration[2];
        final List<String> called = new ArrayList<>();
        // Whichever event comes first ends the registration of the other.
        registrations[0] = loop.register(first[0].fd(), Constants.EPOLLIN, events -> {
            called.add("first");
            registrations[1].cancel();
        });
        registrations[1] = loop.register(second[0].fd(), Constants.EPOLLIN, events -> {
            called.add("second");
            registrations[0].cancel();
        });
        first[1].send("x");
        second[1].send("x");
        assertEquals(2, loop.turn(LONG_NS));
        assertEquals(1, called.size(), called::toString);
    }

    @Test
    void shouldNotGiveAnEventToWhoeverHasTakenOverTheSlot() {
        final Endpoint[] first = pair();
        final Endpoint[] second = pair();
        final Endpoint[] quiet = pair();
        final Registration[] registrations = new Registration[2];
        final AtomicInteger wrong = new AtomicInteger();
        final AtomicInteger right = new AtomicInteger();
        for (int i = 0; i < 2; i++) {
            final int other = 1 - i;
            registrations[i] = loop.register((i == 0 ? first : second)[0].fd(), Constants.EPOLLIN, events -> {
                right.incrementAndGet();
                registrations[other].cancel();
                // Takes the slot that has just become free, for a descriptor that is not ready.
                loop.register(quiet[0].fd(), Constants.EPOLLIN, wrongEvents -> wrong.incrementAndGet());
            });
        }
        first[1].send("x");
        second[1].send("x");
        assertEquals(2, loop.turn(LONG_NS));
        assertEquals(1, right.get());
        assertEquals(0, wrong.get());
    }

    @Test
    void shouldForgetADescriptorThatIsClosedRightAfterItsRegistrationHasEnded() {
        final Endpoint[] pair = pair();
        final AtomicInteger called = new AtomicInteger();
        final Registration registration = loop.register(pair[0].fd(), Constants.EPOLLIN, e -> called.incrementAndGet());
        pair[1].send("x");
        registration.end();
        registration.cancel();
        pair[0].close();
        assertEquals(0, loop.turn(0));
        // Its number and its slot can be reused.
        final Endpoint[] next = pair();
        final AtomicInteger calledNext = new AtomicInteger();
        loop.register(next[0].fd(), Constants.EPOLLIN, e -> calledNext.incrementAndGet());
        next[1].send("x");
        assertEquals(1, loop.turn(LONG_NS));
        assertEquals(0, called.get());
        assertEquals(1, calledNext.get());
    }

    @Test
    void shouldServeMoreDescriptorsThanOneBatchHolds() {
        final int count = 600;
        final AtomicInteger called = new AtomicInteger();
        for (int i = 0; i < count; i++) {
            final Endpoint[] pair = pair();
            final Registration[] registration = new Registration[1];
            registration[0] = loop.register(pair[0].fd(), Constants.EPOLLIN, events -> {
                called.incrementAndGet();
                registration[0].cancel();
            });
            pair[1].send("x");
        }
        for (int turns = 0; turns < count && called.get() < count; turns++) {
            loop.turn(LONG_NS);
        }
        assertEquals(count, called.get());
        assertEquals(0, loop.turn(0));
    }

    @Test
    void shouldNotSpinOnAParkedRegistrationWhoseOtherEndHasGone() {
        final Endpoint[] pair = pair();
        final AtomicInteger called = new AtomicInteger();
        final Registration registration = loop.register(pair[0].fd(), Constants.EPOLLIN, e -> called.incrementAndGet());
        registration.interest(0);
        pair[1].send("x");
        pair[1].close();
        // The hang-up cannot be masked; it is reported once. After that nothing is reported, however often the loop
        // polls.
        int work = 0;
        for (int i = 0; i < 1000; i++) {
            work += loop.turn(0);
        }
        assertTrue(work <= 1, "events: " + work);
        registration.interest(Constants.EPOLLIN);
        assertEquals(1, loop.turn(LONG_NS));
        assertEquals(1, loop.turn(LONG_NS));
    }

    @Test
    void shouldRunEachTimerOnceInTheOrderOfTheirDeadlines() {
        final Random random = Seeds.random("shouldRunEachTimerOnceInTheOrderOfTheirDeadlines");
        final int count = 200;
        final List<Timer> ran = new ArrayList<>();
        final List<Timer> timers = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            final Timer[] timer = new Timer[1];
            timer[0] = new Timer(() -> ran.add(timer[0]));
            timers.add(timer[0]);
            if (i % 3 == 0) {
                // Replaced below: it must not be waited for, nor run twice.
                loop.schedule(timer[0], TimeUnit.HOURS.toNanos(1));
            }
            loop.schedule(timer[0], random.nextInt((int) TimeUnit.MILLISECONDS.toNanos(20)));
        }
        final Timer cancelled = new Timer(() -> ran.add(null));
        loop.schedule(cancelled, TimeUnit.HOURS.toNanos(1));
        loop.cancel(cancelled);
        assertFalse(cancelled.isScheduled());
        for (int turns = 0; turns < 10 * count && ran.size() < count; turns++) {
            loop.turn(LONG_NS);
        }
        timers.sort(Comparator.comparingLong(Timer::deadlineNs));
        assertEquals(timers.stream().map(Timer::deadlineNs).toList(), ran.stream().map(Timer::deadlineNs).toList());
        assertEquals(0, timers.stream().filter(Timer::isScheduled).count());
        assertEquals(0, loop.turn(0));
    }

    @Test
    void shouldWakeForATimerThatIsDueBeforeTheNextKnownOne() {
        final Endpoint[] pair = pair();
        loop.register(pair[0].fd(), Constants.EPOLLIN, events -> pair[0].receive());
        final AtomicInteger ran = new AtomicInteger();
        final Timer late = new Timer(() -> ran.addAndGet(100));
        loop.schedule(late, TimeUnit.HOURS.toNanos(1));
        pair[1].send("x");
        assertEquals(1, loop.turn(-1));
        for (int i = 1; i <= 3; i++) {
            final Timer early = new Timer(ran::incrementAndGet);
            loop.schedule(early, TimeUnit.MILLISECONDS.toNanos(5));
            while (early.isScheduled()) {
                loop.turn(-1);
            }
            assertEquals(i, ran.get());
        }
        loop.cancel(late);
        assertEquals(0, loop.turn(TimeUnit.MILLISECONDS.toNanos(1)));
    }

    @Test
    void shouldRunATimerWhileMoreDescriptorsAreReadyThanOneBatchHolds() {
        for (int i = 0; i < 600; i++) {
            final Endpoint[] pair = pair();
            pair[1].send("x");
            loop.register(pair[0].fd(), Constants.EPOLLIN, events -> { });
        }
        final Timer late = new Timer(() -> { });
        loop.schedule(late, TimeUnit.HOURS.toNanos(1));
        for (final long waitNs : new long[] {LONG_NS, 0}) {
            final AtomicInteger ran = new AtomicInteger();
            loop.schedule(new Timer(ran::incrementAndGet), TimeUnit.MILLISECONDS.toNanos(20));
            final long startNs = System.nanoTime();
            while (ran.get() == 0 && System.nanoTime() - startNs < LONG_NS) {
                loop.turn(waitNs);
            }
            assertEquals(1, ran.get());
        }
        loop.cancel(late);
    }

    @Test
    void shouldTellOneTimeInATurnAndALaterOneInTheNext() {
        final Endpoint[] pair = pair();
        final List<Long> timesNs = new ArrayList<>();
        loop.register(pair[0].fd(), Constants.EPOLLIN, events -> {
            timesNs.add(loop.nowNs());
            loop.atEndOfTurn(new EndOfTurnTask() {
                @Override
                protected void run() {
                    timesNs.add(loop.nowNs());
                }
            });
        });
        pair[1].send("x");
        for (int i = 1; i <= 3; i++) {
            final long startNs = System.nanoTime();
            assertEquals(2, loop.turn(LONG_NS));
            assertEquals(timesNs.get(2 * i - 2), timesNs.get(2 * i - 1));
            assertTrue(timesNs.get(2 * i - 1) >= startNs);
        }
    }

    @Test
    void shouldNotRunATimerAgainInTheTurnThatItIsScheduledIn() {
        final AtomicInteger ran = new AtomicInteger();
        final Timer[] timer = new Timer[1];
        timer[0] = new Timer(() -> {
            ran.incrementAndGet();
            loop.schedule(timer[0], 0);
        });
        loop.schedule(timer[0], 0);
        for (int turns = 1; turns <= 20; turns++) {
            loop.turn(LONG_NS);
            assertTrue(ran.get() <= turns, "runs: " + ran.get() + ", turns: " + turns);
        }
        assertTrue(ran.get() > 0);
    }

    @Test
    void shouldRunATaskOnceAtTheEndOfTheTurnHoweverOftenItIsAskedFor() {
        final List<String> ran = new ArrayList<>();
        final EndOfTurnTask task = new EndOfTurnTask() {
            @Override
            protected void run() {
                ran.add("task");
                if (ran.size() < 3) {
                    loop.atEndOfTurn(this);
                }
            }
        };
        loop.schedule(new Timer(() -> {
            loop.atEndOfTurn(task);
            loop.atEndOfTurn(task);
            ran.add("timer");
        }), 0);
        loop.turn(LONG_NS);
        assertEquals(List.of("timer", "task"), ran);
        // Asked for from itself, it runs in the next turn, which does not wait.
        loop.turn(LONG_NS);
        assertEquals(List.of("timer", "task", "task"), ran);
        assertEquals(0, loop.turn(0));
    }

    @Test
    void shouldRunCommandsOfEachThreadInTheirOrder() {
        final int threads = 4;
        final int commands = 20_000;
        final int[] next = new int[threads];
        final AtomicInteger outOfOrder = new AtomicInteger();
        final AtomicInteger done = new AtomicInteger();
        final List<CompletableFuture<Void>> senders = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            final int thread = i;
            senders.add(Background.start(() -> {
                for (int j = 0; j < commands; j++) {
                    final int number = j;
                    while (!loop.execute(() -> {
                        if (next[thread]++ != number) {
                            outOfOrder.incrementAndGet();
                        }
                        done.incrementAndGet();
                    })) {
                        Thread.onSpinWait();
                    }
                }
                return null;
            }));
        }
        final long deadlineNs = System.nanoTime() + LONG_NS;
        while (done.get() < threads * commands && System.nanoTime() - deadlineNs < 0) {
            loop.turn(LONG_NS);
        }
        Background.joinAll(senders);
        assertEquals(threads * commands, done.get());
        assertEquals(0, outOfOrder.get());
    }

    @Test
    void shouldEndItsWaitForACommand() {
        final int rounds = 300;
        final AtomicInteger done = new AtomicInteger();
        final AtomicBoolean stopped = new AtomicBoolean();
        final CompletableFuture<Integer> turning = Background.start(() -> {
            while (!stopped.get()) {
                loop.turn(-1);
            }
            return done.get();
        });
        for (int i = 1; i <= rounds; i++) {
            assertTrue(loop.execute(done::incrementAndGet));
            if (i % 3 == 0) {
                // Now and then the loop is asleep again before the next task comes.
                Await.untilEqual(i, done::get, "commands done");
            }
        }
        stopped.set(true);
        loop.wakeUp();
        assertEquals(rounds, Background.join(turning));
    }

    @Test
    void shouldNotSleepWhenItHasBeenWokenBeforeItsWait() {
        loop.wakeUp();
        assertTrue(loop.turn(LONG_NS) > 0, "it has slept through");
        assertEquals(0, loop.turn(0));
    }

    @Test
    void shouldRefuseMoreCommandsThanItHasRoomFor() {
        int accepted = 0;
        while (loop.execute(() -> { })) {
            accepted++;
            assertTrue(accepted < 100_000);
        }
        int done = 0;
        while (done < accepted) {
            done += loop.turn(0);
        }
        assertEquals(accepted, done);
        assertTrue(loop.execute(() -> { }));
    }

    @Test
    void shouldGoOnWhenAHandlerThrows() {
        final Endpoint[] pair = pair();
        final Registration[] registration = new Registration[1];
        registration[0] = loop.register(pair[0].fd(), Constants.EPOLLIN, events -> {
            registration[0].cancel();
            throw new IllegalStateException("handler");
        });
        pair[1].send("x");
        final List<String> ran = new ArrayList<>();
        assertTrue(loop.execute(() -> {
            throw new IllegalStateException("command");
        }));
        assertTrue(loop.execute(() -> ran.add("command")));
        loop.schedule(new Timer(() -> {
            throw new IllegalStateException("timer");
        }), 0);
        loop.schedule(new Timer(() -> ran.add("timer")), 1);
        for (int turns = 0; turns < 100 && (faults.size() < 3 || ran.size() < 2); turns++) {
            loop.turn(LONG_NS);
        }
        assertEquals(List.of("handler", "command", "timer"), faults.stream().map(Throwable::getMessage).toList());
        assertEquals(List.of("command", "timer"), ran);
    }

    @Test
    void shouldRefuseWhatCannotBeWatched(@TempDir final Path directory) throws IOException {
        final Path file = Files.createFile(directory.resolve("file"));
        try (Endpoint endpoint = Endpoint.open(file, Constants.O_RDONLY)) {
            final PosixException refusal = assertThrows(
                PosixException.class, () -> loop.register(endpoint.fd(), Constants.EPOLLIN, events -> { }));
            assertEquals(Errno.EPERM, refusal.errno());
        }
        shouldCallBackWhatIsReady();
    }

    private Endpoint[] pair() {
        final Endpoint[] pair = Endpoint.socketPair(Constants.SOCK_STREAM);
        opened.addAll(List.of(pair));
        return pair;
    }
}
