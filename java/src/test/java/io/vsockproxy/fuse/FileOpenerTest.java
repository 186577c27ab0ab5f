/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.testing.ChildJvm;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Which application gets which file: its own or none, whatever the thread that opens them answers. */
@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FileOpenerTest {
    /** What takes the capabilities away that are an exception to the limit of descriptors in flight, and sets it. */
    private static final List<String> UNPRIVILEGED = List.of(
        "unshare", "--user", "--map-root-user", "--mount", "prlimit", "--nofile=400:400");
    private static final int PIECE_OFFSET = 2 * FileOpenerThread.REQUEST_LENGTH;

    @TempDir
    private Path directory;

    private final EventLoop loop = new EventLoop(0, Fixture::failOn);
    private final Memory memory = Memory.allocate(PIECE_OFFSET + IoVec.LENGTH);
    private final List<String> outcomes = new ArrayList<>();
    private int descriptorsBefore;
    private OwnedFd thread;
    private FileOpener opener;

    @BeforeEach
    void connect() {
        descriptorsBefore = Descriptors.count();
        PosixException.check(
            Syscalls.socketpair(
                Constants.AF_UNIX, Constants.SOCK_SEQPACKET | Constants.SOCK_CLOEXEC, 0, memory.address()),
            "socketpair");
        thread = OwnedFd.of(memory.buffer().getInt(0));
        opener = FileOpener.of(loop, OwnedFd.of(memory.buffer().getInt(Integer.BYTES)));
    }

    @AfterEach
    void close() throws InterruptedException {
        opener.close();
        thread.close();
        Descriptors.assertCount(descriptorsBefore);
        loop.close();
        memory.close();
    }

    @Test
    void shouldGiveEachApplicationTheFileOfItsOwnRequest() {
        open("first");
        open("second");
        answer(request(), 1);
        answer(request(), -Errno.ENOENT);
        loop.turn(0);
        assertEquals(List.of("first: opened", "second: ENOENT"), outcomes);
    }

    @Test
    void shouldGiveNobodyAFileThatWasOpenedForAnother() {
        open("first");
        open("second");
        request();
        // As if the answer to the first request had been lost.
        answer(request(), 1);
        loop.turn(0);
        open("third");
        loop.turn(0);
        assertEquals(List.of("first: EIO", "second: EIO", "third: EIO"), outcomes);
    }

    @Test
    void shouldTakeNoAnswerThatNobodyAskedFor() {
        answer(0, 1);
        loop.turn(0);
        open("next");
        loop.turn(0);
        assertEquals(List.of("next: EIO"), outcomes);
    }

    @Test
    void shouldFailEveryOpenOnceWhenTheThreadEnds() {
        open("first");
        open("second");
        answer(request(), 1);
        thread.close();
        loop.turn(0);
        loop.turn(0);
        open("third");
        loop.turn(0);
        assertEquals(List.of("first: opened", "second: EIO", "third: EIO"), outcomes);
    }

    @Test
    void shouldWaitWhileTooManyDescriptorsAreInFlightAndThenFailOnlyThatOpen() throws Exception {
        final List<String> nothing = new ArrayList<>(UNPRIVILEGED);
        nothing.add("true");
        final Process probe = new ProcessBuilder(nothing).start();
        assumeTrue(probe.waitFor() == 0, "skipped: needs a user namespace of its own (unshare --user)");
        try (ChildJvm process = ChildJvm.start(
            UNPRIVILEGED, CrowdedFlightProcess.class, directory.resolve("files").toString())) {
            final String mounted = process.answer();
            assumeTrue("mounted".equals(mounted), () -> "skipped: " + mounted);
            assertEquals("ETOOMANYREFS", ask(process, "crowd"));
            assertEquals("begun", ask(process, "open first"));
            // Long enough for the thread to find out.
            TimeUnit.MILLISECONDS.sleep(500);
            assertEquals("cleared", ask(process, "clear"));
            assertEquals("begun", ask(process, "open second"));
            assertEquals("first", ask(process, "read first"));
            assertEquals("second", ask(process, "read second"));

            assertEquals("ETOOMANYREFS", ask(process, "crowd"));
            assertEquals("begun", ask(process, "open third"));
            assertEquals("ETOOMANYREFS", ask(process, "read third"));
            assertEquals("cleared", ask(process, "clear"));
            assertEquals("begun", ask(process, "open fourth"));
            assertEquals("fourth", ask(process, "read fourth"));

            // The end does not wait for the thread, nor the other way round.
            assertEquals("ETOOMANYREFS", ask(process, "crowd"));
            assertEquals("begun", ask(process, "open fifth"));
        }
    }

    private static String ask(final ChildJvm process, final String command) {
        process.tell(command);
        return process.answer();
    }

    private void open(final String name) {
        final FuseNode node = new FuseNode(2, new FuseName(1, 2), Constants.O_RDONLY, null, 0);
        opener.open(new PendingOpen(node, name, Constants.O_RDONLY, new OpenCompletion() {
            @Override
            public void onOpened(final OwnedFd descriptor) {
                descriptor.close();
                outcomes.add(name + ": opened");
            }

            @Override
            public void onFailed(final int errno) {
                outcomes.add(name + ": " + Errno.name(errno));
            }
        }, pending -> { }));
    }

    /** Receives a request, and returns its sequence number. */
    private int request() {
        PosixException.check(
            Syscalls.recv(
                thread.fd(), memory.address(), FileOpenerThread.REQUEST_LENGTH, Constants.MSG_DONTWAIT),
            "recv");
        return memory.buffer().getInt(FileOpenerThread.SEQUENCE_OFFSET);
    }

    /** Answers with {@code -errno} or, if {@code result} is positive, with a descriptor. */
    private void answer(final int sequence, final int result) {
        memory.buffer().putInt(FileOpenerThread.SEQUENCE_OFFSET, sequence);
        memory.buffer().putInt(FileOpenerThread.RESULT_OFFSET, result);
        memory.buffer().putInt(FileOpenerThread.ANSWER_LENGTH, thread.fd());
        IoVec.set(
            new UnsafeBuffer(memory.buffer(), PIECE_OFFSET, IoVec.LENGTH), 0,
            memory.address(), FileOpenerThread.ANSWER_LENGTH);
        PosixException.check(
            Syscalls.sendmsg(
                thread.fd(), memory.address(PIECE_OFFSET, IoVec.LENGTH), 1,
                Constants.MSG_NOSIGNAL | Constants.MSG_DONTWAIT,
                memory.address(FileOpenerThread.ANSWER_LENGTH, Integer.BYTES), result > 0 ? 1 : 0),
            "sendmsg");
    }
}
