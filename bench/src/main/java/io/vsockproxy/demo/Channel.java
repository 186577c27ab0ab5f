/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongToIntFunction;
import org.agrona.BitUtil;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * One descriptor, used as an application would: with blocking calls, and with descriptors passed along with bytes.
 *
 * <p>Owns its descriptor. One thread may receive while another sends; otherwise for one thread only.
 */
public final class Channel implements AutoCloseable {
    /** Most bytes of one message of {@link #send} and {@link #receive}. */
    static final int MAX_MESSAGE_LENGTH = 8 * 1024;

    private static final int IN_OFFSET = 0;
    private static final int OUT_OFFSET = MAX_MESSAGE_LENGTH;
    private static final int IOVEC_OFFSET = 2 * MAX_MESSAGE_LENGTH;
    private static final int DESCRIPTORS_OFFSET = IOVEC_OFFSET + IoVec.LENGTH;
    private static final int CONTROL_OFFSET = BitUtil.align(
        DESCRIPTORS_OFFSET + ControlData.MAX_DESCRIPTORS * Integer.BYTES, Long.BYTES);

    private final OwnedFd descriptor;
    private final Memory memory = Memory.allocate(CONTROL_OFFSET + ControlData.LENGTH);
    private final ControlData control = new ControlData(memory, CONTROL_OFFSET);

    /** A message and the descriptors that came with it, which are the receiver's. */
    record Message(String text, List<Channel> descriptors) { }

    /**
     * @param descriptor blocking. Takes ownership.
     */
    Channel(final OwnedFd descriptor) {
        this.descriptor = descriptor;
    }

    /** Two connected sockets of {@code type}. */
    static Channel[] socketPair(final int type) {
        return pair(address -> Syscalls.socketpair(Constants.AF_UNIX, type | Constants.SOCK_CLOEXEC, 0, address));
    }

    /** A pipe: its read end, its write end. */
    static Channel[] pipe() {
        return pair(address -> Syscalls.pipe2(address, Constants.O_CLOEXEC));
    }

    /** The descriptor, which stays this object's. */
    public int fd() {
        return descriptor.fd();
    }

    /** Whether reads and writes wait, as they do unless somebody has set O_NONBLOCK for everyone who shares it. */
    boolean isBlocking() {
        return (Syscalls.fcntl(fd(), Constants.F_GETFL, 0) & Constants.O_NONBLOCK) == 0;
    }

    /** Sends text, as one message where there are messages, and with it descriptors, which stay the caller's. */
    void send(final String text, final Channel... passed) {
        final byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
        final UnsafeBuffer buffer = memory.buffer();
        buffer.putBytes(OUT_OFFSET, bytes);
        buffer.putLong(IOVEC_OFFSET, memory.address(OUT_OFFSET, bytes.length));
        buffer.putLong(IOVEC_OFFSET + Long.BYTES, bytes.length);
        for (int i = 0; i < passed.length; i++) {
            buffer.putInt(DESCRIPTORS_OFFSET + i * Integer.BYTES, passed[i].fd());
        }
        final int sent = PosixException.check(
            Syscalls.sendmsg(
                fd(), memory.address(IOVEC_OFFSET, IoVec.LENGTH), 1, Constants.MSG_NOSIGNAL,
                memory.address(DESCRIPTORS_OFFSET, passed.length * Integer.BYTES), passed.length),
            "sendmsg");
        Check.equal("bytes sent", bytes.length, sent);
    }

    /** Receives a message, or from a stream some bytes, and the descriptors that come with them. */
    Message receive() {
        final int received = PosixException.check(
            Syscalls.recvmsg(
                fd(), memory.address(IN_OFFSET, MAX_MESSAGE_LENGTH), MAX_MESSAGE_LENGTH, Constants.MSG_CMSG_CLOEXEC,
                control.address()),
            "recvmsg");
        final List<Channel> descriptors = new ArrayList<>();
        for (int i = 0; i < control.count(); i++) {
            descriptors.add(new Channel(OwnedFd.of(control.descriptor(i))));
        }
        final boolean truncated = control.isTruncated();
        control.clear();
        if (truncated) {
            descriptors.forEach(Channel::close);
            throw new DemoException("descriptors were lost on the way in: MSG_CTRUNC");
        }
        return new Message(text(received), descriptors);
    }

    /** Writes text to a pipe. */
    void write(final String text) {
        final byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
        memory.buffer().putBytes(OUT_OFFSET, bytes);
        writeFully(memory.address(OUT_OFFSET, bytes.length), bytes.length);
    }

    /** Reads text of a known length. */
    String read(final int length) {
        readFully(memory.address(IN_OFFSET, length), length);
        return text(length);
    }

    /** Whether everything has been read and the other end is closed; waits until one or the other is certain. */
    boolean isAtEnd() {
        return readSome(memory.address(IN_OFFSET, 1), 1) == 0;
    }

    /** Writes all {@code length} bytes. */
    public void writeFully(final long address, final int length) {
        int done = 0;
        while (done < length) {
            done += check(Syscalls.write(fd(), address + done, length - done), "write");
        }
    }

    /**
     * Reads all {@code length} bytes.
     *
     * @throws DemoException when the stream ends before that.
     */
    public void readFully(final long address, final int length) {
        int done = 0;
        while (done < length) {
            final int count = readSome(address + done, length - done);
            if (count == 0) {
                throw new DemoException("the end after " + done + " of " + length + " bytes");
            }
            done += count;
        }
    }

    /** Reads what there is, at least a byte; 0 at the end. */
    public int readSome(final long address, final int length) {
        return check(Syscalls.read(fd(), address, length), "read");
    }

    /** Closes the descriptor; must come after the last call of any other thread. */
    @Override
    public void close() {
        descriptor.close();
        memory.close();
    }

    private String text(final int length) {
        final byte[] bytes = new byte[length];
        memory.buffer().getBytes(IN_OFFSET, bytes);
        return new String(bytes, StandardCharsets.US_ASCII);
    }

    private static int check(final long result, final String action) {
        return PosixException.check((int) result, action);
    }

    private static Channel[] pair(final LongToIntFunction call) {
        try (Memory ends = Memory.allocate(2 * Integer.BYTES)) {
            PosixException.check(call.applyAsInt(ends.address()), "a pair of descriptors");
            return new Channel[] {
                new Channel(OwnedFd.of(ends.buffer().getInt(0))),
                new Channel(OwnedFd.of(ends.buffer().getInt(Integer.BYTES)))};
        }
    }
}
