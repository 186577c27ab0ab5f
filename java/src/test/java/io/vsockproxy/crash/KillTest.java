/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.crash;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.Role;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Mounts;
import io.vsockproxy.testing.Pairing;
import io.vsockproxy.testing.Seeds;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * SIGKILL for either proxy or an application on either side, at random moments of conversations between applications:
 * all that are affected see an end, others go on, and a new proxy serves at once, whatever the killed one has left
 * mounted. The number of kills can be set with {@code -Dvsockproxy.test.kills=}.
 */
class KillTest {
    /** What is printed is well below a second; this is for a machine that does something else at the same time. */
    private static final long END_LIMIT_MS = 10_000;
    private static final int KILLS = 12;
    private static final int MAX_DELAY_MS = 120;

    /** Who is killed. */
    private enum Victim { HOST_PROXY, GUEST_PROXY, HOST_APPLICATION, GUEST_APPLICATION }

    private final List<Long> endsUs = new ArrayList<>();
    private final List<Long> servedMs = new ArrayList<>();
    private final Map<Role, Conversation> applications = new EnumMap<>(Role.class);
    private final List<Conversation> own = new ArrayList<>();

    @ParameterizedTest
    @EnumSource
    void shouldShowAnEndToEveryoneLeftAndServeAgain(final Pairing pairing) throws Exception {
        Mounts.assumeMountable();
        final Random random = Seeds.random("KillTest " + pairing);
        final int kills = Integer.getInteger("vsockproxy.test.kills", KILLS) / Pairing.values().length;
        try (RestartablePair pair = new RestartablePair(pairing)) {
            exchange(pair);
            final int descriptorsBefore = Await.stable(Descriptors::count);
            final int[] proxyDescriptorsBefore = pair.descriptorCounts();
            for (final Role side : Role.values()) {
                startApplication(pair, side);
            }
            int kill = 0;
            try {
                while (kill < kills) {
                    begin(pair);
                    TimeUnit.MILLISECONDS.sleep(random.nextInt(MAX_DELAY_MS));
                    kill(pair, Victim.values()[random.nextInt(Victim.values().length)]);
                    kill++;
                }
            } catch (final Exception | AssertionError e) {
                throw new AssertionError("kill " + (kill + 1) + ": " + e.getMessage() + "\n" + pair, e);
            } finally {
                end();
            }
            for (final Role side : Role.values()) {
                pair.killApplication(side);
                pair.awaitEnd(side);
                pair.dropLeftConnections(side);
            }
            pair.awaitDescriptorCounts(proxyDescriptorsBefore);
            Await.untilEqual(descriptorsBefore, Descriptors::count, "open descriptors of the test");
            pair.terminate();
            assertEquals(List.of(), pair.mounts());
        }
        report(pairing, kills);
    }

    private void startApplication(final RestartablePair pair, final Role side) throws IOException {
        pair.startApplication(side);
        applications.put(side, joinApplication(pair, side));
    }

    /**
     * Waits for both to begin again, at the same time: without flow control, one whose bytes nobody receives holds up
     * the other.
     */
    private void joinApplications(final RestartablePair pair) {
        final Map<Role, CompletableFuture<Conversation>> joining = new EnumMap<>(Role.class);
        for (final Role side : Role.values()) {
            joining.put(side, Background.start(() -> joinApplication(pair, side)));
        }
        joining.forEach((side, conversation) -> applications.put(side, Background.join(conversation)));
    }

    /** Conversations between two applications that are never killed, in both directions. */
    private void begin(final RestartablePair pair) {
        for (final Role from : Role.values()) {
            final var ends = pair.connect(from);
            own.add(Conversation.begin("from the " + from, ends[0]));
            own.add(Conversation.join("to the " + RestartablePair.other(from), ends[1]));
        }
    }

    /** The application may have been interrupted when it last began. */
    private static Conversation joinApplication(final RestartablePair pair, final Role side) {
        AssertionError last = null;
        for (int i = 0; i < 3; i++) {
            try {
                return Conversation.join("with the application of the " + side, pair.acceptApplication(side));
            } catch (final AssertionError e) {
                last = e;
            }
        }
        throw last;
    }

    private void kill(final RestartablePair pair, final Victim victim) throws IOException {
        final long killedNs = System.nanoTime();
        switch (victim) {
            case HOST_PROXY, GUEST_PROXY -> {
                final Role side = victim == Victim.HOST_PROXY ? Role.HOST : Role.GUEST;
                pair.killProxy(side);
                final List<Activity> all = new ArrayList<>();
                own.forEach(each -> all.addAll(each.activities()));
                applications.values().forEach(each -> all.addAll(each.activities()));
                awaitEnds(all, killedNs, victim);
                end();
                pair.startProxy(side);
                final long readyNs = System.nanoTime();
                joinApplications(pair);
                exchange(pair);
                servedMs.add(TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - readyNs));
            }
            case HOST_APPLICATION, GUEST_APPLICATION -> {
                final Role side = victim == Victim.HOST_APPLICATION ? Role.HOST : Role.GUEST;
                pair.killApplication(side);
                final Conversation with = applications.remove(side);
                awaitEnds(with.streams(), killedNs, victim);
                // A passed file does not depend on the application that passed it.
                final List<Activity> untouched = new ArrayList<>(List.of(with.fileReader()));
                own.forEach(each -> untouched.addAll(each.activities()));
                applications.values().forEach(each -> untouched.addAll(each.activities()));
                expectProgress(untouched, victim);
                with.close();
                pair.awaitEnd(side);
                pair.dropLeftConnections(side);
                own.forEach(Conversation::close);
                own.clear();
                startApplication(pair, side);
            }
            default -> throw new IllegalArgumentException("nobody: " + victim);
        }
    }

    private void awaitEnds(final List<Activity> activities, final long killedNs, final Victim victim) {
        for (final Activity activity : activities) {
            Await.until(
                activity::hasEnded, () -> victim + " is dead, and " + activity + " of " + activities);
            activity.expectNoWrongByte();
            final long tookNs = activity.endNs() - killedNs;
            if (tookNs >= 0) {
                endsUs.add(TimeUnit.NANOSECONDS.toMicros(tookNs));
            }
            assertTrue(tookNs < TimeUnit.MILLISECONDS.toNanos(END_LIMIT_MS),
                () -> victim + " is dead: after " + tookNs + " ns: " + activity);
        }
    }

    private static void expectProgress(final List<Activity> activities, final Victim victim) {
        for (final Activity activity : activities) {
            final long before = activity.position();
            Await.until(
                () -> activity.position() > before || activity.hasEnded(), () -> victim + " is dead: " + activity);
            assertTrue(!activity.hasEnded(), () -> victim + " is dead: " + activity);
        }
    }

    /** Everything works, both ways. */
    private static void exchange(final RestartablePair pair) {
        for (final Role from : Role.values()) {
            final var ends = pair.connect(from);
            try (Conversation one = Conversation.begin("from the " + from, ends[0]);
                Conversation other = Conversation.join("to the " + RestartablePair.other(from), ends[1])) {
                expectProgress(one.activities(), null);
                expectProgress(other.activities(), null);
            }
        }
    }

    private void end() {
        own.forEach(Conversation::close);
        own.clear();
        applications.values().forEach(Conversation::close);
        applications.clear();
    }

    private void report(final Pairing pairing, final int kills) {
        Collections.sort(endsUs);
        Collections.sort(servedMs);
        System.out.printf(
            "KillTest %s: %d kills, %d ends seen after them, in ms: median=%.1f p90=%.1f p99=%.1f max=%.1f; "
                + "everything works after a new proxy's ready line, in ms: median=%d max=%d%n",
            pairing, kills, endsUs.size(), ms(0.5), ms(0.9), ms(0.99), ms(1),
            servedMs.isEmpty() ? 0 : servedMs.get(servedMs.size() / 2),
            servedMs.isEmpty() ? 0 : servedMs.get(servedMs.size() - 1));
    }

    private double ms(final double quantile) {
        return endsUs.isEmpty() ? 0 : endsUs.get((int) ((endsUs.size() - 1) * quantile)) / 1000.0;
    }
}
