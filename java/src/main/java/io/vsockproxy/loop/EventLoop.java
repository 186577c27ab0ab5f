/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.loop;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import java.util.Arrays;
import java.util.Comparator;
import java.util.PriorityQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.agrona.ErrorHandler;
import org.agrona.collections.IntArrayList;
import org.agrona.concurrent.ManyToOneConcurrentArrayQueue;

/**
 * Waits for readiness and calls back. Each turn handles ready descriptors first, then commands from other threads, then
 * timers, and last the tasks postponed to the end of the turn.
 *
 * <p>Threading: confined to the thread that calls {@link #turn}, except the methods that say "any thread". Another
 * thread hands a command over by adding it to a many-to-one queue, and then writes to an eventfd if the loop was about
 * to sleep. The loop sets {@code sleeping} before its last look at the queue, and the other thread clears it after
 * adding, so at least one of the two sees the other (docs/threads.md).
 */
public final class EventLoop implements AutoCloseable {
    private static final int MAX_EVENTS = 256;
    private static final int EVENTS_OFFSET = 2 * Long.BYTES;
    private static final int COMMAND_CAPACITY = 4096;
    private static final int MAX_COMMANDS_PER_TURN = 256;
    private static final int MAX_PENDING_ROUNDS = 1024;
    private static final long NS_PER_MS = 1_000_000L;
    /** epoll's data for the alarm; no registration has this key. */
    private static final long ALARM_KEY = -1;

    private final int epollFd;
    private final int eventFd;
    private final Alarm alarm;
    private final Memory memory;
    private final long eventsAddress;
    private final long counterAddress;
    private final long oneAddress;
    private final ManyToOneConcurrentArrayQueue<Runnable> commands =
        new ManyToOneConcurrentArrayQueue<>(COMMAND_CAPACITY);
    private final ErrorHandler errorHandler;
    private final SpinPolicy spinPolicy;
    private final AtomicBoolean sleeping = new AtomicBoolean();
    private final PriorityQueue<Timer> timers =
        new PriorityQueue<>(Comparator.comparingLong(Timer::deadlineNs));
    private final IntArrayList freeSlots = new IntArrayList();
    /** The tasks for the end of this turn: a linked queue, because there are one or two in nearly every turn. */
    private EndOfTurnTask firstTask;
    private EndOfTurnTask lastTask;
    private Registration[] registrations = new Registration[64];
    private int slotCount;
    private int generations;
    private long nowNs = System.nanoTime();
    private final AtomicInteger signalling = new AtomicInteger();
    private volatile Thread thread;
    private boolean turning;
    private volatile boolean closed;

    /**
     * Creates the epoll instance, its eventfd and its timerfd.
     *
     * @param spinLimitNs  how long to spin, looking for readiness, before sleeping, while waits are short; 0 never
     *                     spins.
     * @param errorHandler is called with what a handler, command, timer or task throws; the loop goes on.
     * @throws PosixException when the kernel refuses (EMFILE).
     */
    public EventLoop(final long spinLimitNs, final ErrorHandler errorHandler) {
        spinPolicy = new SpinPolicy(spinLimitNs);
        this.errorHandler = errorHandler;
        memory = Memory.allocate(EVENTS_OFFSET + MAX_EVENTS * Constants.SIZEOF_EPOLL_EVENT);
        counterAddress = memory.address(0, Long.BYTES);
        oneAddress = memory.address(Long.BYTES, Long.BYTES);
        memory.buffer().putLong(Long.BYTES, 1);
        eventsAddress = memory.address(EVENTS_OFFSET, MAX_EVENTS * Constants.SIZEOF_EPOLL_EVENT);
        epollFd = PosixException.check(Syscalls.epollCreate1(Constants.EPOLL_CLOEXEC), "epoll_create1");
        eventFd = PosixException.check(
            Syscalls.eventfd(0, Constants.EFD_CLOEXEC | Constants.EFD_NONBLOCK), "eventfd");
        alarm = new Alarm();
        PosixException.check(
            Syscalls.epollCtl(epollFd, Constants.EPOLL_CTL_ADD, alarm.fd(), Constants.EPOLLIN, ALARM_KEY), "epoll_ctl");
        register(eventFd, Constants.EPOLLIN, events -> Syscalls.read(eventFd, counterAddress, Long.BYTES));
    }

    /**
     * Watches a descriptor. Borrows it: it must outlive the registration.
     *
     * @param events as in {@link Registration#interest(int)}.
     * @throws PosixException when epoll cannot watch it (EPERM: a regular file; ENOSPC: fs.epoll.max_user_watches).
     */
    public Registration register(final int fd, final int events, final ReadinessHandler handler) {
        final int slot = freeSlots.isEmpty() ? slotCount++ : freeSlots.popInt();
        if (slot == registrations.length) {
            registrations = Arrays.copyOf(registrations, slot * 2);
        }
        final Registration registration = new Registration(this, fd, slot, ++generations, events, handler);
        final int result = Syscalls.epollCtl(
            epollFd, Constants.EPOLL_CTL_ADD, fd, Registration.kernelEvents(events), registration.key());
        if (result < 0) {
            freeSlots.pushInt(slot);
            throw new PosixException("epoll_ctl(ADD) of descriptor " + fd, -result);
        }
        registrations[slot] = registration;
        return registration;
    }

    /** Runs {@code timer} once, {@code delayNs} from now, in place of any earlier deadline. */
    public void schedule(final Timer timer, final long delayNs) {
        cancel(timer);
        timer.schedule(System.nanoTime() + delayNs);
        timers.add(timer);
    }

    /** Removes the timer's deadline, if it has one. */
    public void cancel(final Timer timer) {
        if (timer.isScheduled()) {
            timers.remove(timer);
            timer.unschedule();
        }
    }

    /** Runs {@code task} at the end of this turn, once. */
    public void atEndOfTurn(final EndOfTurnTask task) {
        if (!task.isQueued()) {
            task.queueAfter(lastTask);
            lastTask = task;
            if (firstTask == null) {
                firstTask = task;
            }
        }
    }

    /** System.nanoTime() as it was when this turn's wait ended. */
    public long nowNs() {
        return nowNs;
    }

    /**
     * Any thread: has {@code command} run on the loop's thread, in the order of the calls from one thread.
     *
     * @return false when {@value #COMMAND_CAPACITY} commands are waiting already: try again later. After {@link
     *     #close}, commands may be accepted but are never run.
     */
    public boolean execute(final Runnable command) {
        if (!commands.offer(command)) {
            return false;
        }
        if (sleeping.getAndSet(false)) {
            signal();
        }
        return true;
    }

    /** Any thread: ends the current wait, or if there is none, the next one, at once. */
    public void wakeUp() {
        // Sends a command, because a loop that is about to wait may not have set sleeping yet. If the queue is full,
        // the loop has commands to run and will not wait.
        execute(EventLoop::doNothing);
    }

    /**
     * One turn: waits until something is ready, a timer is due or {@code maxWaitNs} have passed, and deals with what
     * there is.
     *
     * @param maxWaitNs 0 does not wait; a negative one has no limit.
     * @return how many events, commands, timers and tasks were dealt with.
     * @throws IllegalStateException as {@link #checkNotTurning}.
     */
    public int turn(final long maxWaitNs) {
        checkNotTurning();
        turning = true;
        try {
            return turnOnce(maxWaitNs);
        } finally {
            turning = false;
        }
    }

    /** Whether a turn is under way. Only reliable on the thread that turns the loop. */
    public boolean isTurning() {
        return turning;
    }

    /**
     * Refuses a turn within a turn, which would handle events that are already being handled.
     *
     * @throws IllegalStateException when a turn is under way, on this thread (in a handler) or on another.
     */
    public void checkNotTurning() {
        if (turning) {
            throw new IllegalStateException("a turn within a turn: from a callback, or on another thread");
        }
    }

    private int turnOnce(final long maxWaitNs) {
        if (thread != Thread.currentThread()) {
            thread = Thread.currentThread();
        }
        final int count = maxWaitNs == 0 || firstTask != null || !commands.isEmpty() ? poll() : await(maxWaitNs);
        if (count < 0) {
            throw new PosixException("epoll_wait", -count);
        }
        nowNs = System.nanoTime();
        int work = dispatch(count);
        work += runCommands();
        work += runTimers();
        work += runEndOfTurn();
        return work;
    }

    /**
     * Any thread: whether the calling thread is the one that turns this loop; true before the first turn, when that is
     * not known yet.
     */
    public boolean isOwnThread() {
        final Thread own = thread;
        return own == null || own == Thread.currentThread();
    }

    /**
     * Any thread.
     *
     * @throws IllegalStateException unless the calling thread is the one that turns this loop.
     */
    public void checkThread() {
        if (!isOwnThread()) {
            throw new IllegalStateException(
                "called on thread " + Thread.currentThread().getName() + ", confined to " + thread.getName());
        }
    }

    /**
     * Runs the waiting commands and end-of-turn tasks, and those that these add in turn, without looking at
     * descriptors.
     */
    public void runPending() {
        int rounds = MAX_PENDING_ROUNDS;
        while (rounds-- > 0 && runCommands() + runEndOfTurn() > 0) {
            nowNs = System.nanoTime();
        }
    }

    /** Closes the loop's own descriptors; the registered ones belong to their owners. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            alarm.close();
            while (signalling.get() > 0) {
                // Another thread is about to write to the eventfd, whose number may be reused once it is closed.
                Thread.onSpinWait();
            }
            Syscalls.close(eventFd);
            Syscalls.close(epollFd);
            memory.close();
        }
    }

    /** Whether this loop may spin: whoever uses it prefers latency to processor time. */
    public boolean everSpins() {
        return spinPolicy.everSpins();
    }

    int epollFd() {
        return epollFd;
    }

    void forget(final int slot) {
        registrations[slot] = null;
        freeSlots.pushInt(slot);
    }

    private int poll() {
        return Syscalls.epollWait(epollFd, eventsAddress, MAX_EVENTS, 0);
    }

    /** Spins if that is worth it, and sleeps if nothing came meanwhile. */
    private int await(final long maxWaitNs) {
        if (!spinPolicy.everSpins()) {
            return sleep(maxWaitNs);
        }
        final long startNs = System.nanoTime();
        final long spinNs = spinPolicy.spinNs(startNs);
        if (spinNs > 0) {
            final int count = spin(startNs, spinNs);
            if (count != 0) {
                spinPolicy.onSpun();
                return count;
            }
            spinPolicy.onSpunInVain();
            return sleep(maxWaitNs);
        }
        final int count = sleep(maxWaitNs);
        if (count > 0) {
            spinPolicy.onSlept(System.nanoTime() - startNs);
        }
        return count;
    }

    private int sleep(final long maxWaitNs) {
        final Timer next = timers.peek();
        if ((next != null && !alarm.goOffBy(next.deadlineNs())) || !sleepUnlessCommanded()) {
            return poll();
        }
        final int count = Syscalls.epollWait(epollFd, eventsAddress, MAX_EVENTS, waitMs(maxWaitNs));
        // Without a fence: a thread that sees this store late costs at most one needless wake-up.
        sleeping.lazySet(false);
        return count;
    }

    private int spin(final long startNs, final long spinNs) {
        long beforeNs = startNs;
        while (beforeNs - startNs < spinNs && commands.isEmpty() && !isTimerDue(beforeNs)) {
            final int count = poll();
            if (count != 0) {
                return count;
            }
            Syscalls.schedYield();
            final long afterNs = System.nanoTime();
            if (!spinPolicy.onLooked(afterNs - beforeNs, afterNs)) {
                break;
            }
            beforeNs = afterNs;
        }
        return 0;
    }

    private boolean isTimerDue(final long atNs) {
        final Timer next = timers.peek();
        return next != null && next.deadlineNs() - atNs <= 0;
    }

    private boolean sleepUnlessCommanded() {
        sleeping.set(true);
        if (!commands.isEmpty()) {
            sleeping.set(false);
            return false;
        }
        return true;
    }

    private static int waitMs(final long maxWaitNs) {
        return maxWaitNs < 0 ? -1 : (int) Math.min(Integer.MAX_VALUE, (maxWaitNs - 1) / NS_PER_MS + 1);
    }

    private int dispatch(final int count) {
        int work = count;
        for (int i = 0; i < count; i++) {
            final int base = EVENTS_OFFSET + i * Constants.SIZEOF_EPOLL_EVENT;
            final int events = memory.buffer().getInt(base + Constants.EPOLL_EVENT_EVENTS_OFFSET);
            final long key = memory.buffer().getLong(base + Constants.EPOLL_EVENT_DATA_OFFSET);
            if (key == ALARM_KEY) {
                alarm.onExpired(counterAddress);
                work--;
                continue;
            }
            final Registration registration = registrations[(int) key];
            // An earlier event of this batch may have ended this registration, and its slot may even have been reused.
            if (registration != null && registration.generation() == (int) (key >>> 32)) {
                try {
                    registration.dispatch(events);
                } catch (final RuntimeException e) {
                    errorHandler.onError(e);
                }
            }
        }
        return work;
    }

    private int runCommands() {
        int done = 0;
        Runnable command;
        while (done < MAX_COMMANDS_PER_TURN && (command = commands.poll()) != null) {
            guarded(command);
            done++;
        }
        return done;
    }

    private int runTimers() {
        int done = 0;
        Timer timer = timers.peek();
        while (timer != null && timer.deadlineNs() - nowNs <= 0) {
            timers.poll();
            timer.unschedule();
            guarded(timer.task());
            done++;
            timer = timers.peek();
        }
        return done;
    }

    private int runEndOfTurn() {
        EndOfTurnTask task = firstTask;
        // What these tasks queue runs at the end of the next turn.
        firstTask = null;
        lastTask = null;
        int done = 0;
        while (task != null) {
            final EndOfTurnTask next = task.dequeue();
            try {
                task.run();
            } catch (final RuntimeException e) {
                errorHandler.onError(e);
            }
            task = next;
            done++;
        }
        return done;
    }

    private void guarded(final Runnable task) {
        try {
            task.run();
        } catch (final RuntimeException e) {
            errorHandler.onError(e);
        }
    }

    private static void doNothing() {
        // The command's only purpose is to make the loop turn.
    }

    private void signal() {
        signalling.incrementAndGet();
        if (!closed) {
            Syscalls.write(eventFd, oneAddress, Long.BYTES);
        }
        signalling.decrementAndGet();
    }
}
