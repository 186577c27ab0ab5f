/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.FileAttributes;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Requests as the kernel would send them, and some as it would not; a datagram socket stands for /dev/fuse. */
class FuseServerTest {
    private static final int MESSAGE_LENGTH = 1 << 16;
    private static final long UNIQUE = 0x10;
    private static final int NO_ANSWER = Integer.MIN_VALUE;
    private static final FuseName NAME = new FuseName(1, 2);

    private final Memory memory = Memory.allocate(MESSAGE_LENGTH);
    private final UnsafeBuffer message = memory.buffer();
    private final FuseNodes nodes = new FuseNodes();
    private final MemoryBackend backend = new MemoryBackend(new byte[100]);
    private int descriptorsBefore;
    private final List<FuseNode> examined = new ArrayList<>();
    private OwnedFd kernel;
    private FuseServer server;
    private FuseNode node;
    private boolean dying = true;

    @BeforeAll
    static void load() {
        // The JVM opens descriptors of its own at the first use of a class.
        assertEquals("EAGAIN", Errno.name(Errno.EAGAIN));
        assertTrue(Descriptors.count() > 0);
    }

    @BeforeEach
    void connect() {
        descriptorsBefore = Descriptors.count();
        PosixException.check(
            Syscalls.socketpair(
                Constants.AF_UNIX,
                Constants.SOCK_SEQPACKET | Constants.SOCK_CLOEXEC | Constants.SOCK_NONBLOCK,
                0,
                memory.address()),
            "socketpair");
        kernel = OwnedFd.of(message.getInt(0));
        server = new FuseServer(
            new FuseChannel(OwnedFd.of(message.getInt(4))), nodes, 1000, 1001, examined::add, taskId -> dying);
        node = new FuseNode(nodes.nextId(), NAME, Constants.O_RDWR, backend, 0);
        nodes.add(node);
    }

    @AfterEach
    void disconnect() throws InterruptedException {
        server.abandonAll();
        server.close();
        kernel.close();
        memory.close();
        backend.free();
        Descriptors.assertCount(descriptorsBefore);
    }

    @Test
    void shouldAgreeOnTheOlderMinorVersionAndTheFlagsItKnows() {
        initArguments(7, 35, -1, 0);
        assertEquals(0, ask(FuseProtocol.INIT, 1, 16));
        assertEquals(7, message.getInt(16));
        assertEquals(35, message.getInt(20));
        // No flags2 in a request of 16 bytes.
        assertEquals(0, message.getInt(16 + 32));

        initArguments(7, 99, -1, -1);
        assertEquals(0, ask(FuseProtocol.INIT, 1, 64));
        assertEquals(FuseProtocol.MINOR_VERSION, message.getInt(20));
        final long flags = (message.getInt(16 + 12) & 0xFFFFFFFFL) | ((long) message.getInt(16 + 32) << 32);
        assertEquals(
            FuseProtocol.FUSE_ASYNC_READ | FuseProtocol.FUSE_BIG_WRITES | FuseProtocol.FUSE_AUTO_INVAL_DATA
                | FuseProtocol.FUSE_ASYNC_DIO | FuseProtocol.FUSE_PARALLEL_DIROPS | FuseProtocol.FUSE_HANDLE_KILLPRIV
                | FuseProtocol.FUSE_MAX_PAGES | FuseProtocol.FUSE_INIT_EXT
                | FuseProtocol.FUSE_DIRECT_IO_ALLOW_MMAP | FuseProtocol.FUSE_NO_EXPORT_SUPPORT,
            flags);
        assertEquals(FuseMount.MAX_DATA_LENGTH, message.getInt(16 + 20));

        initArguments(7, 99, 0, 0);
        assertEquals(0, ask(FuseProtocol.INIT, 1, 64));
        assertEquals(0, message.getInt(16 + 12));
    }

    @Test
    void shouldRefuseVersionsThatAreTooOldAndAnswerNewerOnesWithItsOwn() {
        initArguments(7, 34, 0, 0);
        assertEquals(Errno.EPROTO, ask(FuseProtocol.INIT, 1, 16));
        initArguments(6, 99, 0, 0);
        assertEquals(Errno.EPROTO, ask(FuseProtocol.INIT, 1, 16));
        initArguments(8, 0, -1, -1);
        assertEquals(0, ask(FuseProtocol.INIT, 1, 64));
        assertEquals(7, message.getInt(16));
    }

    @Test
    void shouldAnswerWhatNobodyNeedsOnce() {
        for (int opcode = 0; opcode < 5000; opcode++) {
            switch (opcode) {
                case FuseProtocol.FORGET, FuseProtocol.BATCH_FORGET, FuseProtocol.INTERRUPT,
                    FuseProtocol.NOTIFY_REPLY -> assertEquals(NO_ANSWER, ask(opcode, 1, 64), "opcode " + opcode);
                default -> {
                    message.setMemory(FuseInHeader.LENGTH, 128, (byte) 0);
                    assertTrue(ask(opcode, 1, 128) >= 0, "opcode " + opcode);
                }
            }
        }
        assertEquals(Errno.ENOSYS, ask(24, 1, 64));
        assertEquals(Errno.ENOSYS, ask(FuseProtocol.FLUSH, node.id(), 24));
        assertEquals(Errno.EPERM, ask(FuseProtocol.MKDIR, 1, 64));
        assertEquals(0, ask(FuseProtocol.READDIR, 1, 40));
        assertEquals(0, ask(FuseProtocol.DESTROY, 1, 0));
    }

    @Test
    void shouldNeverReadBeyondARequestCutAtAnyByte() {
        final int[] opcodes = {
            FuseProtocol.READ, FuseProtocol.WRITE, FuseProtocol.GETATTR, FuseProtocol.SETATTR, FuseProtocol.LOOKUP,
            FuseProtocol.OPEN, FuseProtocol.FSYNC, FuseProtocol.FORGET, FuseProtocol.BATCH_FORGET,
            FuseProtocol.INTERRUPT, FuseProtocol.ACCESS, FuseProtocol.INIT};
        for (final int opcode : opcodes) {
            final int needed = argumentsLength(opcode);
            for (int length = 0; length < needed; length++) {
                // The rest of an earlier, longer request must not be taken for arguments.
                fillArguments(opcode);
                send(opcode, node.id(), FuseInHeader.LENGTH + needed, FuseInHeader.LENGTH + needed);
                drain();
                fillArguments(opcode);
                final int writes = backend.writes.get();
                final int reads = backend.reads.get();
                final int answer = ask(opcode, node.id(), length);
                final String what = "opcode " + opcode + ", length " + length;
                switch (opcode) {
                    case FuseProtocol.FORGET, FuseProtocol.BATCH_FORGET, FuseProtocol.INTERRUPT ->
                        assertEquals(NO_ANSWER, answer, what);
                    case FuseProtocol.LOOKUP -> assertEquals(Errno.ENOENT, answer, what);
                    default -> assertEquals(Errno.EINVAL, answer, what);
                }
                assertEquals(writes, backend.writes.get(), what);
                assertEquals(reads, backend.reads.get(), what);
            }
        }
    }

    @Test
    void shouldIgnoreWhatIsShorterThanAHeader() {
        for (int length = 1; length < FuseInHeader.LENGTH; length++) {
            send(FuseProtocol.INIT, 1, length, length);
            assertEquals(NO_ANSWER, receive(), "length " + length);
        }
    }

    @Test
    void shouldRefuseARequestWhoseLengthIsNotItsOwn() {
        for (final int said : new int[] {0, -1, 39, 41, Integer.MAX_VALUE}) {
            send(FuseProtocol.GETATTR, 1, said, FuseInHeader.LENGTH);
            assertEquals(Errno.EINVAL, receive(), "said " + said);
            send(FuseProtocol.FORGET, 1, said, FuseInHeader.LENGTH);
            assertEquals(NO_ANSWER, receive(), "said " + said);
        }
    }

    @Test
    void shouldRefuseAWriteOfMoreThanCame() {
        for (final int said : new int[] {101, 1 << 20, Integer.MAX_VALUE, -1, Integer.MIN_VALUE}) {
            ioArguments(0, said);
            assertEquals(Errno.EINVAL, ask(FuseProtocol.WRITE, node.id(), 40 + 100), "said " + said);
        }
        ioArguments(0, 100);
        assertEquals(0, ask(FuseProtocol.WRITE, node.id(), 40 + 100));
        assertEquals(100, message.getInt(FuseOutHeader.LENGTH));
    }

    @Test
    void shouldRefuseNegativeOffsetsAndServeNoMoreThanAMebibyte() {
        ioArguments(-1, 10);
        assertEquals(Errno.EINVAL, ask(FuseProtocol.READ, node.id(), 40));
        ioArguments(0, -1);
        assertEquals(Errno.EINVAL, ask(FuseProtocol.READ, node.id(), 40));
        ioArguments(-1, 10);
        assertEquals(Errno.EINVAL, ask(FuseProtocol.WRITE, node.id(), 50));
        backend.holdsReads = true;
        ioArguments(0, Integer.MAX_VALUE);
        assertEquals(NO_ANSWER, ask(FuseProtocol.READ, node.id(), 40));
        assertEquals(FuseMount.MAX_DATA_LENGTH, backend.held.get(0).length());
    }

    @Test
    void shouldAnswerForAFileThatIsNotThere() {
        fillArguments(FuseProtocol.READ);
        for (final int opcode : new int[] {
            FuseProtocol.READ, FuseProtocol.WRITE, FuseProtocol.GETATTR, FuseProtocol.SETATTR, FuseProtocol.OPEN,
            FuseProtocol.FSYNC, FuseProtocol.ACCESS}) {
            assertEquals(Errno.EIO, ask(opcode, 999, 128), "opcode " + opcode);
        }
        assertEquals(0, ask(FuseProtocol.RELEASE, 999, 24));
        message.putLong(FuseInHeader.LENGTH, 1);
        assertEquals(NO_ANSWER, ask(FuseProtocol.FORGET, 999, 8));
    }

    @Test
    void shouldReleaseOnceAndForgetWhenAllIsOver() {
        assertEquals(0, lookUp(NAME));
        assertEquals(0, lookUp(NAME));
        assertEquals(0, open(Constants.O_RDWR));
        assertEquals(Errno.ENOENT, lookUp(NAME));
        node.onOpenEnded();
        assertEquals(0, open(Constants.O_RDONLY));
        assertEquals(0, ask(FuseProtocol.RELEASE, node.id(), 24));
        assertEquals(0, backend.releases.get());
        assertEquals(0, ask(FuseProtocol.RELEASE, node.id(), 24));
        assertEquals(1, backend.releases.get());
        assertEquals(Errno.EIO, open(Constants.O_RDONLY));
        assertEquals(0, ask(FuseProtocol.RELEASE, node.id(), 24));
        assertEquals(1, backend.releases.get());

        assertEquals(1, nodes.size());
        message.putLong(FuseInHeader.LENGTH, 1);
        assertEquals(NO_ANSWER, ask(FuseProtocol.FORGET, node.id(), 8));
        assertEquals(1, nodes.size());
        message.putInt(FuseInHeader.LENGTH, 2);
        message.putLong(FuseInHeader.LENGTH + 8, node.id());
        message.putLong(FuseInHeader.LENGTH + 16, 1);
        message.putLong(FuseInHeader.LENGTH + 24, 999);
        message.putLong(FuseInHeader.LENGTH + 32, 1);
        assertEquals(NO_ANSWER, ask(FuseProtocol.BATCH_FORGET, 0, 40));
        assertEquals(0, nodes.size());
        assertEquals(1, backend.releases.get());
    }

    @Test
    void shouldAskForTheAttributesBeforeTheFileIsLookedUp() {
        // Size 0 when the owner cannot say.
        backend.errno = Errno.EIO;
        assertTrue(server.askFirst(node));
        assertEquals(0, lookUp(NAME));
        assertEquals(0, message.getLong(FuseOutHeader.LENGTH + 40 + 8));
        backend.errno = 0;
        examined.clear();
        assertTrue(server.askFirst(node));
        assertEquals(List.of(node), examined);
        assertEquals(0, server.requestCount());
        assertEquals(0, lookUp(NAME));
        assertEquals(node.id(), message.getLong(FuseOutHeader.LENGTH));
        assertEquals(100, message.getLong(FuseOutHeader.LENGTH + 40 + 8));
        assertEquals(2, backend.getattrs.get());
    }

    @Test
    void shouldParkWritesWithoutRoomAndServeTheOthers() {
        final byte[] data = new byte[100];
        for (int round = 1; round <= 3; round++) {
            backend.refusesWrites = true;
            for (int i = 0; i < 3; i++) {
                Arrays.fill(data, (byte) (round * 10 + i));
                ioArguments(i * 100L, data.length);
                message.putBytes(FuseInHeader.LENGTH + 40, data);
                assertEquals(NO_ANSWER, ask(FuseProtocol.WRITE, node.id(), 40 + data.length));
            }
            ioArguments(0, 10);
            assertEquals(0, ask(FuseProtocol.READ, node.id(), 40));
            server.resume();
            assertEquals(NO_ANSWER, receive());
            assertEquals(3, server.requestCount());
            backend.refusesWrites = false;
            server.resume();
            assertEquals(0, server.requestCount());
            for (int i = 0; i < 3; i++) {
                assertEquals(0, receiveOne());
                assertEquals(round * 10 + i, backend.memory.buffer().getByte(i * 100 + 99));
            }
        }
    }

    @Test
    void shouldAnswerAParkedWriteThatIsInterruptedOrStillParkedAtTheEnd() {
        backend.refusesWrites = true;
        ioArguments(0, 8);
        assertEquals(NO_ANSWER, ask(FuseProtocol.WRITE, node.id(), 48));
        message.putLong(FuseInHeader.LENGTH, UNIQUE);
        assertEquals(Errno.EINTR, ask(FuseProtocol.INTERRUPT, 0, 8));
        assertEquals(0, backend.interrupts.get());
        assertEquals(0, server.requestCount());
        ioArguments(0, 8);
        assertEquals(NO_ANSWER, ask(FuseProtocol.WRITE, node.id(), 48));
        server.abandonAll();
        assertEquals(Errno.EIO, receive());
        assertEquals(0, server.requestCount());
        assertEquals(0, backend.writes.get());
    }

    @Test
    void shouldEndFromInsideAParkedWrite() {
        backend.refusesWrites = true;
        for (int i = 0; i < 3; i++) {
            ioArguments(0, 8);
            assertEquals(NO_ANSWER, ask(FuseProtocol.WRITE, node.id(), 48));
        }
        backend.onRefusal = () -> {
            server.abandonAll();
            server.close();
        };
        server.resume();
        for (int i = 0; i < 3; i++) {
            assertEquals(Errno.EIO, receiveOne());
        }
        assertEquals(0, server.requestCount());
    }

    @Test
    void shouldLookUpNothingElse() {
        assertEquals(Errno.ENOENT, lookUp(new FuseName(1, 3)));
        assertEquals(Errno.ENOENT, lookUp(new FuseName(0, 2)));
        putName(NAME);
        assertEquals(Errno.ENOENT, ask(FuseProtocol.LOOKUP, node.id(), FuseName.LENGTH + 1));
    }

    @Test
    void shouldAnswerAnInterruptedReadOnceAndIgnoreUnknownInterrupts() {
        backend.holdsReads = true;
        ioArguments(0, 10);
        assertEquals(NO_ANSWER, ask(FuseProtocol.READ, node.id(), 40));
        message.putLong(FuseInHeader.LENGTH, UNIQUE + 2);
        assertEquals(NO_ANSWER, ask(FuseProtocol.INTERRUPT, 0, 8));
        message.putLong(FuseInHeader.LENGTH, UNIQUE);
        assertEquals(Errno.EINTR, ask(FuseProtocol.INTERRUPT, 0, 8));
        assertEquals(NO_ANSWER, ask(FuseProtocol.INTERRUPT, 0, 8));
        assertEquals(1, backend.interrupts.get());
        assertEquals(1, server.requestCount());
        final FuseRequest late = backend.held.get(0).request();
        late.replyError(Errno.EIO);
        assertEquals(NO_ANSWER, receive());
        assertEquals(0, server.requestCount());
        assertThrows(IllegalStateException.class, () -> late.replyError(Errno.EIO));
    }

    @Test
    void shouldAnswerACallerThatSurvivesASignalWhenTheBackendAnswersOrAnotherSignalKillsIt() {
        dying = false;
        backend.holdsReads = true;
        for (int i = 0; i < 2; i++) {
            ioArguments(0, 10);
            assertEquals(NO_ANSWER, ask(FuseProtocol.READ, node.id(), 40));
            message.putLong(FuseInHeader.LENGTH, UNIQUE);
            assertEquals(NO_ANSWER, ask(FuseProtocol.INTERRUPT, 0, 8));
            assertTrue(server.interrupts().hasSurvivors());
            server.interrupts().review();
            assertEquals(NO_ANSWER, receive());
            if (i == 0) {
                backend.held.remove(0).request().replyData(backend.memory.address(), 10);
                assertEquals(0, receive());
                server.interrupts().review();
                assertFalse(server.interrupts().hasSurvivors());
            }
        }
        assertEquals(0, backend.interrupts.get());
        dying = true;
        server.interrupts().review();
        assertEquals(Errno.EINTR, receive());
        assertFalse(server.interrupts().hasSurvivors());
        assertEquals(1, backend.interrupts.get());
        backend.held.remove(0).request().replyData(backend.memory.address(), 10);
        assertEquals(NO_ANSWER, receive());
    }

    @Test
    void shouldKeepAParkedWriteOfWhoSurvivesASignal() {
        dying = false;
        backend.refusesWrites = true;
        ioArguments(0, 8);
        assertEquals(NO_ANSWER, ask(FuseProtocol.WRITE, node.id(), 48));
        message.putLong(FuseInHeader.LENGTH, UNIQUE);
        assertEquals(NO_ANSWER, ask(FuseProtocol.INTERRUPT, 0, 8));
        assertEquals(1, server.requestCount());
        dying = true;
        server.interrupts().review();
        assertEquals(Errno.EINTR, receive());
        assertEquals(0, server.requestCount());
    }

    @Test
    void shouldRefuseAnswersThatDoNotFitTheRequest() {
        backend.holdsReads = true;
        ioArguments(0, 10);
        assertEquals(NO_ANSWER, ask(FuseProtocol.READ, node.id(), 40));
        final FuseRequest request = backend.held.get(0).request();
        assertThrows(IllegalStateException.class, () -> request.replyWritten(1));
        assertThrows(IllegalStateException.class, () -> request.replyAttributes(new FileAttributes()));
        assertThrows(IllegalStateException.class, request::replySuccess);
        // If the owner sends more than was asked for, the read fails.
        request.replyData(backend.memory.address(), 11);
        assertEquals(Errno.EIO, receive());
    }

    @Test
    void shouldBoundTheRequestsThatWait() {
        backend.holdsReads = true;
        for (int i = 0; i < FuseServer.MAX_REQUESTS; i++) {
            ioArguments(0, 10);
            assertEquals(NO_ANSWER, ask(FuseProtocol.READ, node.id(), 40));
        }
        assertEquals(Errno.ENOMEM, ask(FuseProtocol.READ, node.id(), 40));
        final Random random = new Random(1);
        while (!backend.held.isEmpty()) {
            backend.held.remove(random.nextInt(backend.held.size())).request().replyError(Errno.EIO);
            assertEquals(Errno.EIO, receive());
        }
        assertEquals(0, server.requestCount());
    }

    @Test
    void shouldSurviveRandomRequests() {
        final long seed = new Random().nextLong();
        System.out.println("seed " + seed);
        final Random random = new Random(seed);
        final byte[] bytes = new byte[512];
        for (int i = 0; i < 50_000; i++) {
            random.nextBytes(bytes);
            message.putBytes(0, bytes);
            if (random.nextBoolean()) {
                message.putInt(FuseInHeader.LENGTH + 8, random.nextInt(3));
                message.putInt(FuseInHeader.LENGTH + 12, 0);
                message.putInt(FuseInHeader.LENGTH + 16, random.nextInt(1000));
            }
            final int length = 1 + random.nextInt(bytes.length);
            send(random.nextInt(60), random.nextInt(4), length, length);
            drain();
        }
        assertTrue(backend.releases.get() <= 1);
        assertEquals(0, server.requestCount());
    }

    @Test
    void shouldAnswerWhatWaitsAtTheEndAndNothingAfterwards() {
        backend.holdsReads = true;
        ioArguments(0, 10);
        assertEquals(NO_ANSWER, ask(FuseProtocol.READ, node.id(), 40));
        server.abandonAll();
        assertEquals(Errno.EIO, receive());
        final FuseRequest late = backend.held.get(0).request();
        assertTrue(late.isAbandoned());
        server.close();
        late.replyData(backend.memory.address(), 10);
        assertEquals(0, server.requestCount());
        nodes.releaseAll();
        nodes.releaseAll();
        assertEquals(1, backend.releases.get());
        assertNull(node.backend());
        assertFalse(late.isAbandoned());
    }

    private static int argumentsLength(final int opcode) {
        return switch (opcode) {
            case FuseProtocol.READ -> 40;
            case FuseProtocol.WRITE -> 48;
            case FuseProtocol.SETATTR -> 88;
            case FuseProtocol.LOOKUP -> FuseName.LENGTH + 1;
            case FuseProtocol.OPEN, FuseProtocol.FORGET, FuseProtocol.INTERRUPT, FuseProtocol.ACCESS -> 8;
            case FuseProtocol.BATCH_FORGET -> 24;
            case FuseProtocol.FSYNC -> 16;
            case FuseProtocol.INIT -> 16;
            default -> 0;
        };
    }

    private void fillArguments(final int opcode) {
        message.setMemory(FuseInHeader.LENGTH, 128, (byte) 0);
        switch (opcode) {
            case FuseProtocol.READ, FuseProtocol.WRITE -> ioArguments(0, 8);
            case FuseProtocol.INIT -> initArguments(7, 40, 0, 0);
            case FuseProtocol.LOOKUP -> putName(new FuseName(3, 4));
            default -> {
                // Zeros are allowed.
            }
        }
    }

    private int lookUp(final FuseName name) {
        putName(name);
        return ask(FuseProtocol.LOOKUP, 1, FuseName.LENGTH + 1);
    }

    private int open(final int flags) {
        message.putLong(FuseInHeader.LENGTH, flags);
        return ask(FuseProtocol.OPEN, node.id(), 8);
    }

    private void putName(final FuseName name) {
        message.putStringWithoutLengthAscii(FuseInHeader.LENGTH, name + "\0");
    }

    private void ioArguments(final long offset, final int size) {
        message.setMemory(FuseInHeader.LENGTH, 128, (byte) 0);
        message.putLong(FuseInHeader.LENGTH + 8, offset);
        message.putInt(FuseInHeader.LENGTH + 16, size);
    }

    private void initArguments(final int major, final int minor, final int flags, final int flags2) {
        message.putInt(FuseInHeader.LENGTH, major);
        message.putInt(FuseInHeader.LENGTH + 4, minor);
        message.putInt(FuseInHeader.LENGTH + 8, 0x20000);
        message.putInt(FuseInHeader.LENGTH + 12, flags);
        message.putInt(FuseInHeader.LENGTH + 16, flags2);
    }

    /** Sends a request whose arguments are in the message already, and returns the answer's errno. */
    private int ask(final int opcode, final long nodeId, final int argumentsLength) {
        final int length = FuseInHeader.LENGTH + argumentsLength;
        send(opcode, nodeId, length, length);
        return receive();
    }

    private void send(final int opcode, final long nodeId, final int saidLength, final int length) {
        message.putInt(0, saidLength);
        message.putInt(4, opcode);
        message.putLong(8, UNIQUE);
        message.putLong(16, nodeId);
        message.setMemory(24, 16, (byte) 0);
        assertEquals(length, Syscalls.write(kernel.fd(), memory.address(), length));
        assertEquals(FuseServer.Outcome.SERVED, server.serve());
    }

    /** The errno of the one answer that there is, or {@link #NO_ANSWER}; its bytes are in the message then. */
    private int receive() {
        final int errno = receiveOne();
        if (errno != NO_ANSWER) {
            final long more = Syscalls.read(
                kernel.fd(), memory.address(MESSAGE_LENGTH / 2, MESSAGE_LENGTH / 2), MESSAGE_LENGTH / 2);
            // 0: the end of the connection.
            assertTrue(more == -Errno.EAGAIN || more == 0, "two answers");
        }
        return errno;
    }

    /** As {@link #receive}, where there may be more. */
    private int receiveOne() {
        final long length = Syscalls.read(kernel.fd(), memory.address(), MESSAGE_LENGTH);
        if (length == -Errno.EAGAIN) {
            return NO_ANSWER;
        }
        assertEquals(message.getInt(0), length);
        assertEquals(UNIQUE, message.getLong(8));
        final int errno = -message.getInt(4);
        if (errno != 0) {
            assertEquals(FuseOutHeader.LENGTH, length);
        }
        return errno;
    }

    private void drain() {
        while (receive() != NO_ANSWER) {
            // Whatever the request was.
        }
    }
}
