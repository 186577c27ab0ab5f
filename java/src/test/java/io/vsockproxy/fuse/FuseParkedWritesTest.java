/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.agrona.MutableDirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** More writes than are kept whole; a datagram socket stands for /dev/fuse. */
class FuseParkedWritesTest {
    private static final int LONG_WRITE = ParkedWrites.PART_LENGTH + 1000;
    private static final int NO_ANSWER = Integer.MIN_VALUE;
    private static final byte DATA = 42;

    private final Memory memory = Memory.allocate(1 << 16);
    private final UnsafeBuffer message = memory.buffer();
    private final FuseNodes nodes = new FuseNodes();
    private final List<MemoryBackend> files = new ArrayList<>();
    private OwnedFd kernel;
    private FuseServer server;

    @BeforeEach
    void connect() {
        PosixException.check(
            Syscalls.socketpair(
                Constants.AF_UNIX, Constants.SOCK_SEQPACKET | Constants.SOCK_CLOEXEC | Constants.SOCK_NONBLOCK, 0,
                memory.address()),
            "socketpair");
        kernel = OwnedFd.of(message.getInt(0));
        server = new FuseServer(
            new FuseChannel(OwnedFd.of(message.getInt(Integer.BYTES))), nodes, 1000, 1001, node -> { },
            taskId -> true);
    }

    @AfterEach
    void disconnect() {
        server.abandonAll();
        assertEquals(0, server.requestCount());
        server.close();
        kernel.close();
        memory.close();
        files.forEach(MemoryBackend::free);
    }

    @Test
    void shouldServeOthersWhileManyWritesAreParkedAndKeepAtLeastAPartOfEach() {
        final MemoryBackend stuck = addFile();
        final MemoryBackend other = addFile();
        stuck.refusesWrites = true;
        other.refusesWrites = true;
        for (int i = 0; i < ParkedWrites.MAX_WHOLE + 10; i++) {
            assertEquals(NO_ANSWER, write(stuck, LONG_WRITE, 0));
        }
        // A short write needs no other to be cut, and is kept whole itself.
        assertEquals(NO_ANSWER, write(other, ParkedWrites.PART_LENGTH, 0));
        assertEquals(NO_ANSWER, write(other, LONG_WRITE, 0));
        assertEquals(0, read(other));

        other.refusesWrites = false;
        server.resume();
        assertEquals(ParkedWrites.PART_LENGTH, receiveWritten());
        assertEquals(LONG_WRITE, receiveWritten());
        assertEquals(NO_ANSWER, receive());
        stuck.refusesWrites = false;
        server.resume();
        for (int i = 0; i < ParkedWrites.MAX_WHOLE + 10; i++) {
            // The last whole write has been cut to make room for the other file's.
            final boolean isWhole = i < ParkedWrites.MAX_WHOLE - 1;
            assertEquals(isWhole ? LONG_WRITE : ParkedWrites.PART_LENGTH, receiveWritten());
        }
        assertEquals(0, server.requestCount());
    }

    @Test
    void shouldKeepAllOfAMappingsPagesThatAreWrittenBack() {
        final MemoryBackend file = addFile();
        file.refusesWrites = true;
        for (int i = 0; i < ParkedWrites.MAX_WHOLE + 10; i++) {
            assertEquals(NO_ANSWER, write(file, LONG_WRITE, FuseProtocol.FUSE_WRITE_CACHE));
        }
        file.refusesWrites = false;
        server.resume();
        for (int i = 0; i < ParkedWrites.MAX_WHOLE + 10; i++) {
            assertEquals(LONG_WRITE, receiveWritten());
        }
    }

    @Test
    void shouldLetQueuesThatWaitForTheSameRoomTakeTurns() {
        final AtomicInteger room = new AtomicInteger();
        final MemoryBackend[] both = {addFile(new SharingBackend(room)), addFile(new SharingBackend(room))};
        for (int i = 0; i < 3; i++) {
            assertEquals(NO_ANSWER, write(both[0], LONG_WRITE, 0));
            assertEquals(NO_ANSWER, write(both[1], LONG_WRITE, 0));
        }
        for (int i = 1; i <= 3; i++) {
            for (int turn = 0; turn < both.length; turn++) {
                room.set(1);
                server.resume();
                assertEquals(LONG_WRITE, receiveWritten());
            }
            assertEquals(i, both[0].writes.get());
            assertEquals(i, both[1].writes.get());
        }
    }

    @Test
    void shouldOfferTheRestOfAPostponedWriteBackUntilAllOfItIsWritten() {
        final MemoryBackend file = addFile();
        file.holdsWrites = true;
        assertEquals(NO_ANSWER, write(file, LONG_WRITE, FuseProtocol.FUSE_WRITE_CACHE));
        int left = LONG_WRITE;
        for (final int written : new int[] {0, 1000, 0, 1, LONG_WRITE - 1002}) {
            // A later request comes in another buffer.
            assertEquals(0, read(file));
            final MemoryBackend.Held held = file.held.remove(0);
            assertEquals(LONG_WRITE - left, held.offset());
            assertEquals(left, held.length());
            // Only what is offered again may be there in the end.
            file.memory.buffer().setMemory((int) held.offset() + written, left - written, (byte) 0);
            held.request().postpone(written);
            left -= written;
            assertEquals(NO_ANSWER, receive());
            server.resume();
        }
        file.held.remove(0).request().replyWritten(left);
        assertEquals(LONG_WRITE, receiveWritten());
        assertEquals(0, server.requestCount());
        for (int i = 0; i < LONG_WRITE; i++) {
            assertEquals(DATA, file.memory.buffer().getByte(i));
        }
    }

    @Test
    void shouldAnswerAPostponedWriteBackOnceWhenTheMountEnds() {
        final MemoryBackend file = addFile();
        file.holdsWrites = true;
        for (int i = 0; i < 2; i++) {
            assertEquals(NO_ANSWER, write(file, LONG_WRITE, FuseProtocol.FUSE_WRITE_CACHE));
        }
        file.held.remove(0).request().postpone(1000);
        server.abandonAll();
        assertEquals(Errno.EIO, receive());
        assertEquals(Errno.EIO, receive());
        // The other one's backend does not know of the end yet.
        file.held.remove(0).request().postpone(1000);
        assertEquals(NO_ANSWER, receive());
        assertEquals(0, server.requestCount());
    }

    @Test
    void shouldParkAnyNumberOfWriteBacks() {
        final MemoryBackend stuck = addFile();
        stuck.refusesWrites = true;
        for (int i = 0; i <= ParkedWrites.MAX_OF_ONE_ROOM; i++) {
            assertEquals(NO_ANSWER, write(stuck, 8, FuseProtocol.FUSE_WRITE_CACHE));
        }
    }

    @Test
    void shouldRefuseAWriteWhenTooManyWaitForTheSameRoom() {
        final MemoryBackend stuck = addFile();
        stuck.refusesWrites = true;
        for (int i = 0; i < ParkedWrites.MAX_OF_ONE_ROOM; i++) {
            assertEquals(NO_ANSWER, write(stuck, 8, 0));
        }
        assertEquals(Errno.EAGAIN, write(stuck, 8, 0));
        assertEquals(0, write(addFile(), LONG_WRITE, 0));
    }

    /** Takes as many writes as there is room for, together with others. */
    private static final class SharingBackend extends MemoryBackend {
        private final AtomicInteger room;

        SharingBackend(final AtomicInteger room) {
            super(LONG_WRITE);
            this.room = room;
        }

        @Override
        public boolean write(
            final FuseRequest request, final long offset, final MutableDirectBuffer buffer, final int index,
            final int length) {
            refusesWrites = room.get() == 0;
            final boolean taken = super.write(request, offset, buffer, index, length);
            if (taken) {
                room.decrementAndGet();
            }
            return taken;
        }
    }

    private MemoryBackend addFile() {
        return addFile(new MemoryBackend(LONG_WRITE));
    }

    /** Its number is its node's. */
    private MemoryBackend addFile(final MemoryBackend file) {
        files.add(file);
        nodes.add(new FuseNode(nodes.nextId(), new FuseName(files.size(), 2), Constants.O_RDWR, file, 0));
        return file;
    }

    /** What is answered at once: an errno, or {@link #NO_ANSWER}. */
    private int write(final MemoryBackend file, final int length, final int flags) {
        return ask(FuseProtocol.WRITE, file, length, flags, length);
    }

    private int read(final MemoryBackend file) {
        return ask(FuseProtocol.READ, file, 10, 0, 0);
    }

    private int ask(
        final int opcode, final MemoryBackend file, final int size, final int flags, final int dataLength) {
        final int length = FuseInHeader.LENGTH + FuseArguments.WRITE_IN_LENGTH + dataLength;
        message.setMemory(0, length, (byte) 0);
        message.putInt(0, length);
        message.putInt(4, opcode);
        message.putLong(8, 1);
        message.putLong(16, nodeId(file));
        message.putInt(FuseInHeader.LENGTH + 16, size);
        message.putInt(FuseInHeader.LENGTH + 20, flags);
        message.setMemory(FuseInHeader.LENGTH + FuseArguments.WRITE_IN_LENGTH, dataLength, DATA);
        assertEquals(length, Syscalls.write(kernel.fd(), memory.address(), length));
        assertEquals(FuseServer.Outcome.SERVED, server.serve());
        return receive();
    }

    private long nodeId(final MemoryBackend file) {
        // Node numbers begin after the root's.
        return FuseProtocol.ROOT_ID + 1 + files.indexOf(file);
    }

    private int receive() {
        final long length = Syscalls.read(kernel.fd(), memory.address(), memory.length());
        return length == -Errno.EAGAIN ? NO_ANSWER : -message.getInt(4);
    }

    private int receiveWritten() {
        assertEquals(0, receive());
        return message.getInt(FuseOutHeader.LENGTH);
    }
}
