/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.testing.Script;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Plays the kernel and the files' backends according to a fuzzer's input. A packet socket replaces /dev/fuse.
 */
final class FuseScript implements AutoCloseable {
    static final int[] OPCODES = {
        FuseProtocol.READ, FuseProtocol.WRITE, FuseProtocol.GETATTR, FuseProtocol.SETATTR, FuseProtocol.LOOKUP,
        FuseProtocol.OPEN, FuseProtocol.RELEASE, FuseProtocol.FSYNC, FuseProtocol.FORGET, FuseProtocol.BATCH_FORGET,
        FuseProtocol.INTERRUPT, FuseProtocol.ACCESS, FuseProtocol.INIT, FuseProtocol.OPENDIR, FuseProtocol.STATFS,
        FuseProtocol.READDIR, FuseProtocol.FLUSH, FuseProtocol.MKDIR, FuseProtocol.NOTIFY_REPLY, FuseProtocol.DESTROY,
        0, 24, 4096, -1, FuseProtocol.POLL,
    };
    private static final int ARGUMENTS_KINDS = 7;

    private static final int MESSAGE_LENGTH = 1 << 16;
    private static final int FILE_LENGTH = 100;
    private static final int MAX_FILES = 8;
    private static final int OPERATIONS = 11;
    /** More requests than fit into the socket. */
    private static final int MAX_WAITING = 1000;

    private final Script script;
    private final Memory memory = Memory.allocate(MESSAGE_LENGTH);
    private final UnsafeBuffer message = memory.buffer();
    private final FuseNodes nodes = new FuseNodes();
    private final List<FuseNode> files = new ArrayList<>();
    private final List<MemoryBackend> backends = new ArrayList<>();
    private final Map<Long, Integer> unanswered = new HashMap<>();
    private final OwnedFd kernel;
    private final FuseServer server;
    private long lastUnique = 0x100;
    /** Whether requests are left in the socket for now, as they are while the loop does something else. */
    private boolean paused;
    private boolean ended;

    FuseScript(final byte[] input) {
        script = new Script(input);
        PosixException.check(
            Syscalls.socketpair(
                Constants.AF_UNIX, Constants.SOCK_SEQPACKET | Constants.SOCK_CLOEXEC | Constants.SOCK_NONBLOCK, 0,
                memory.address()),
            "socketpair");
        kernel = OwnedFd.of(message.getInt(0));
        server = new FuseServer(
            new FuseChannel(OwnedFd.of(message.getInt(Integer.BYTES))), nodes, 1000, 1001, node -> { },
            taskId -> true);
        addFile(Constants.O_RDWR);
    }

    /** Does what the script says, then has every backend answer. */
    void run() {
        while (!script.isOver()) {
            step();
            takeAnswers();
        }
        for (final MemoryBackend backend : backends) {
            backend.refusesWrites = false;
            backend.holdsReads = false;
            backend.holdsWrites = false;
            while (!backend.held.isEmpty()) {
                complete(backend, 0);
            }
        }
        paused = false;
        for (int i = 0; i < MAX_WAITING && !ended && !unanswered.isEmpty(); i++) {
            server.resume();
            serve();
            takeAnswers();
        }
        if (!ended) {
            assertEquals(Map.of(), unanswered, "requests without an answer, by opcode");
            assertEquals(0, server.requestCount(), "requests still in use");
        }
    }

    /** The end of the mount: nothing may be left of it. */
    @Override
    public void close() {
        end();
        nodes.releaseAll();
        assertEquals(0, server.requestCount(), "requests in use after the end");
        for (final MemoryBackend backend : backends) {
            assertEquals(1, backend.releases.get(), "releases of a file");
            backend.free();
        }
        kernel.close();
        memory.close();
    }

    private void step() {
        switch (script.choose(OPERATIONS)) {
            case 0, 1 -> request();
            case 2 -> {
                final MemoryBackend backend = backend();
                final int toggles = script.next();
                backend.holdsReads = (toggles & 1) != 0;
                backend.holdsWrites = (toggles & 2) != 0;
                backend.refusesWrites = (toggles & 4) != 0;
                backend.appends = (toggles & 8) != 0;
                backend.errno = (toggles & 16) != 0 ? script.next() : 0;
                backend.interruptErrno = (toggles & 32) != 0 ? Errno.EINTR : 0;
            }
            case 3 -> complete(backend(), script.next());
            case 4 -> {
                if (!ended) {
                    paused = false;
                    server.resume();
                    serve();
                }
            }
            case 5 -> paused = true;
            case 6 -> {
                final FuseNode node = file();
                if (node.backend() != null && !ended) {
                    server.askFirst(node);
                }
            }
            case 7 -> addFile(script.choose(4) | (script.flip() ? Constants.O_APPEND : 0));
            case 8 -> {
                final FuseNode node = file();
                node.onOpenEnded();
                nodes.hide(node);
                nodes.settle(node);
            }
            case 9 -> {
                // No header at all, or an arbitrary one.
                final byte[] bytes = script.take(1 + script.choose(FuseInHeader.LENGTH * 2));
                message.putBytes(0, bytes);
                // Its number must differ from those of all requests that expect an answer.
                if (bytes.length >= FuseInHeader.LENGTH) {
                    final int opcode = message.getInt(4);
                    message.putLong(8, ++lastUnique);
                    expect(lastUnique, opcode);
                }
                send(bytes.length);
            }
            default -> {
                if (script.next() == 0xEE) {
                    end();
                }
            }
        }
    }

    private void request() {
        final int opcode = OPCODES[script.choose(OPCODES.length)];
        final long nodeId = nodeId();
        message.setMemory(FuseInHeader.LENGTH, 256, (byte) 0);
        final int arguments = arguments();
        final int length = FuseInHeader.LENGTH + arguments;
        final int said = script.next();
        message.putInt(0, said < 0xF0 ? length : length + said - 0xF8);
        message.putInt(4, opcode);
        message.putLong(8, ++lastUnique);
        message.putLong(16, nodeId);
        message.setMemory(24, 16, (byte) 0);
        expect(lastUnique, opcode);
        send(length);
    }

    /** Arguments of any kind, which need not be what the opcode is for. */
    private int arguments() {
        final int at = FuseInHeader.LENGTH;
        switch (script.choose(ARGUMENTS_KINDS)) {
            case 0 -> {
                final byte[] bytes = script.take(script.next());
                message.putBytes(at, bytes);
                return bytes.length;
            }
            case 1 -> {
                message.putLong(at + 8, script.number());
                message.putInt(at + 16, (int) script.number());
                message.putInt(at + 20, script.next());
                final int data = script.choose(64);
                message.setMemory(at + FuseArguments.WRITE_IN_LENGTH, data, (byte) 0x5A);
                return FuseArguments.WRITE_IN_LENGTH + data;
            }
            case 2 -> {
                return message.putStringWithoutLengthAscii(at, file().name() + "\0");
            }
            case 3 -> {
                message.putInt(at, script.choose(10));
                message.putInt(at + 4, script.next());
                message.putLong(at + 8, script.number());
                message.putInt(at + 16, script.next() << 24);
                return script.flip() ? 64 : 16;
            }
            case 4 -> {
                message.putLong(at, lastUnique - script.choose(8));
                return FuseArguments.INTERRUPT_IN_LENGTH;
            }
            case 5 -> {
                final int count = script.choose(4);
                message.putInt(at, count + script.choose(3));
                for (int i = 0; i < count; i++) {
                    message.putLong(at + 8 + i * 16, nodeId());
                    message.putLong(at + 16 + i * 16, script.number());
                }
                return 8 + count * 16;
            }
            default -> {
                message.putInt(at, script.next());
                message.putLong(at + 16, script.number());
                return FuseAttributes.SETATTR_IN_LENGTH;
            }
        }
    }

    private void send(final int length) {
        if (!ended) {
            final long sent = Syscalls.write(kernel.fd(), memory.address(), length);
            if (sent == -Errno.EAGAIN) {
                // Requests were left in the socket until the socket was full: the request was never sent.
                unanswered.remove(lastUnique);
            } else {
                assertEquals(length, sent);
                serve();
            }
        }
    }

    private void serve() {
        if (!paused) {
            assertEquals(FuseServer.Outcome.SERVED, server.serve());
            // With few requests under way, one call handles one request; the loop calls again for the rest.
            assertEquals(FuseServer.Outcome.SERVED, server.serve());
        }
    }

    private void expect(final long unique, final int opcode) {
        if (!ended) {
            switch (opcode) {
                case FuseProtocol.FORGET, FuseProtocol.BATCH_FORGET, FuseProtocol.INTERRUPT,
                    FuseProtocol.NOTIFY_REPLY -> {
                    // These requests have no answer.
                }
                default -> unanswered.put(unique, opcode);
            }
        }
    }

    private void takeAnswers() {
        long length = Syscalls.read(kernel.fd(), memory.address(), MESSAGE_LENGTH);
        while (length > 0) {
            assertTrue(length >= FuseOutHeader.LENGTH, "an answer of " + length + " bytes");
            assertEquals(message.getInt(0), length, "the answer's own length");
            final long unique = message.getLong(8);
            final Integer opcode = unanswered.remove(unique);
            if (opcode == null) {
                throw new AssertionError("an answer to nothing, or a second one: " + Long.toHexString(unique));
            }
            final int errno = -message.getInt(4);
            assertTrue(errno >= 0 && errno < 4096, "errno " + errno);
            assertTrue(errno == 0 || length == FuseOutHeader.LENGTH, "an error with " + length + " bytes");
            assertTrue(
                opcode != FuseProtocol.READ || length <= FuseOutHeader.LENGTH + FILE_LENGTH * 100, "a long read");
            length = Syscalls.read(kernel.fd(), memory.address(), MESSAGE_LENGTH);
        }
    }

    private void addFile(final int flags) {
        if (files.size() < MAX_FILES && !ended) {
            final MemoryBackend backend = new MemoryBackend(new byte[FILE_LENGTH]);
            final FuseNode node =
                new FuseNode(nodes.nextId(), new FuseName(files.size(), 2), flags, backend, 0);
            nodes.add(node);
            files.add(node);
            backends.add(backend);
        }
    }

    private void complete(final MemoryBackend backend, final int choice) {
        if (!backend.held.isEmpty()) {
            final MemoryBackend.Held held = backend.held.remove(choice % backend.held.size());
            if (!held.request().outlivesSignals()) {
                backend.answerRead(held.request(), held.offset(), held.length());
            } else if (choice >= 0x80 && held.request().isWriteBack() && held.length() > 0) {
                held.request().postpone(choice % held.length());
            } else {
                held.request().replyWritten(held.length());
            }
        }
    }

    private void end() {
        if (!ended) {
            ended = true;
            server.abandonAll();
            takeAnswers();
            server.close();
            for (final MemoryBackend backend : backends) {
                while (!backend.held.isEmpty()) {
                    complete(backend, 0);
                }
            }
            // Requests still unread in the socket were never received.
        }
    }

    private FuseNode file() {
        return files.get(script.choose(files.size()));
    }

    private MemoryBackend backend() {
        return backends.get(script.choose(backends.size()));
    }

    private long nodeId() {
        final int choice = script.next();
        if (choice < 0xC0) {
            return files.get(choice % files.size()).id();
        }
        return choice < 0xE0 ? FuseProtocol.ROOT_ID : script.number();
    }
}
