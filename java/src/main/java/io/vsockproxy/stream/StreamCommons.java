/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.DescriptorReserve;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.ReceiveQueues;
import io.vsockproxy.posix.SocketOptions;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.posix.UnixSocketDiag;
import java.util.EnumMap;
import java.util.Map;
import org.agrona.collections.MutableInteger;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * What all streams of a loop share: scratch memory for one call at a time (pieces, descriptors, control data), chunks
 * for their queues, and helpers with state of their own. Confined to the loop's thread.
 */
public final class StreamCommons implements AutoCloseable {
    /** With less room than this, in bytes, it is not worth reading from a stream socket or pipe. */
    static final int MIN_READ_LENGTH = 16 * 1024;

    private static final int PIECES_OFFSET = 0;
    private static final int DESCRIPTORS_OFFSET = PIECES_OFFSET + OutputQueue.MAX_PIECES * IoVec.LENGTH;
    private static final int INT_OFFSET = DESCRIPTORS_OFFSET + ControlData.MAX_DESCRIPTORS * Integer.BYTES;
    private static final int CONTROL_OFFSET = INT_OFFSET + Integer.BYTES;

    private final Memory memory = Memory.allocate(CONTROL_OFFSET + ControlData.LENGTH);
    private final UnsafeBuffer pieces = new UnsafeBuffer(memory.buffer(), PIECES_OFFSET, DESCRIPTORS_OFFSET);
    private final ControlData control = new ControlData(memory, CONTROL_OFFSET);
    private final SocketOptions options = new SocketOptions();
    private final ChunkPool pool = new ChunkPool();
    private final DescriptorInspector inspector = new DescriptorInspector();
    private final DescriptorReserve reserve = DescriptorReserve.ofThisProcess();
    private final StandIns standIns = new StandIns(reserve);
    private final ReceiveQueues receiveQueues = new ReceiveQueues(reserve);
    private final DatagramWatch datagramWatch;
    private final LateCloses lateCloses;
    private final DrainRetries drainRetries;
    private final UnwantedInput unwantedInput = new UnwantedInput(this);
    private final int maxPacketLength;
    private final Map<StreamKind, MutableInteger> liveCounts = new EnumMap<>(StreamKind.class);

    /**
     * @param maxPacketLength the longest packet that a session can send, in bytes.
     */
    public StreamCommons(final EventLoop loop, final int maxPacketLength) {
        datagramWatch = new DatagramWatch(loop, inspector);
        lateCloses = new LateCloses(loop);
        drainRetries = new DrainRetries(loop);
        this.maxPacketLength = maxPacketLength;
        for (final StreamKind kind : StreamKind.values()) {
            liveCounts.put(kind, new MutableInteger());
        }
    }

    /** Finds out what a descriptor is. */
    public DescriptorInspector inspector() {
        return inspector;
    }

    /** How many descriptors streams of one kind hold open. */
    public int liveCount(final StreamKind kind) {
        return liveCounts.get(kind).get();
    }

    /**
     * How many descriptors are used to watch sockets: datagram sockets for their end, others for received descriptors.
     */
    public int watchCount() {
        return datagramWatch.descriptorCount() + receiveQueues.descriptorCount();
    }

    /** How many descriptors of ended streams are still to be closed. */
    public int closingCount() {
        return lateCloses.count();
    }

    void addLive(final StreamKind kind, final int change) {
        liveCounts.get(kind).addAndGet(change);
    }

    /** The descriptor numbers that must not be kept. */
    public DescriptorReserve reserve() {
        return reserve;
    }

    /** Makes the pairs of which an application gets one end. */
    public StandIns standIns() {
        return standIns;
    }

    @Override
    public void close() {
        standIns.close();
        datagramWatch.close();
        lateCloses.close();
        drainRetries.close();
        receiveQueues.close();
        inspector.close();
        options.close();
        pool.close();
        memory.close();
    }

    DatagramWatch datagramWatch() {
        return datagramWatch;
    }

    ReceiveQueues receiveQueues() {
        return receiveQueues;
    }

    /**
     * Whether the unix socket that {@code fd} is connected to is still open; false also when the kernel does not tell.
     */
    boolean hasOpenPeer(final int fd) {
        try (UnixSocketDiag diag = new UnixSocketDiag()) {
            return diag.hasOpenPeer(inspector.inode(fd));
        }
    }

    UnwantedInput unwantedInput() {
        return unwantedInput;
    }

    LateCloses lateCloses() {
        return lateCloses;
    }

    DrainRetries drainRetries() {
        return drainRetries;
    }

    ChunkPool pool() {
        return pool;
    }

    ControlData control() {
        return control;
    }

    UnsafeBuffer pieces() {
        return pieces;
    }

    int maxPacketLength() {
        return maxPacketLength;
    }

    long peekAddress() {
        return memory.address(INT_OFFSET, Integer.BYTES);
    }

    long piecesAddress() {
        return memory.address(PIECES_OFFSET, DESCRIPTORS_OFFSET);
    }

    /** sendmsg(2) of one piece. Borrows the descriptors. */
    int send(final int fd, final long address, final int length, final int flags, final int[] descriptors) {
        IoVec.set(pieces, 0, address, length);
        return send(fd, 1, flags, descriptors);
    }

    /** sendmsg(2) of the first {@code count} of {@link #pieces}. Borrows the descriptors. */
    int send(final int fd, final int count, final int flags, final int[] descriptors) {
        final long descriptorsAddress = memory.address(DESCRIPTORS_OFFSET, descriptors.length * Integer.BYTES);
        for (int i = 0; i < descriptors.length; i++) {
            memory.buffer().putInt(DESCRIPTORS_OFFSET + i * Integer.BYTES, descriptors[i]);
        }
        return Syscalls.sendmsg(fd, piecesAddress(), count, flags, descriptorsAddress, descriptors.length);
    }

    /** preadv2(2) of one piece at the descriptor's own position. */
    long read(final int fd, final long address, final int length, final int flags) {
        IoVec.set(pieces, 0, address, length);
        return Syscalls.preadv2(fd, piecesAddress(), 1, -1, flags);
    }

    /** pwritev2(2) of the first {@code count} of {@link #pieces} at the descriptor's own position. */
    long write(final int fd, final int count, final int flags) {
        return Syscalls.pwritev2(fd, piecesAddress(), count, -1, flags);
    }

    /**
     * Copies the bytes that wait at a stream socket, and leaves them there. Out-of-band bytes come in line from now on
     * (SO_OOBINLINE): otherwise one that is sent before {@link #skipBytes} could make an earlier one an ordinary byte,
     * and then other bytes would be skipped than were copied (net/unix/af_unix.c, manage_oob).
     *
     * @return how many bytes; 0 when there are none, or when descriptors are attached to some of them or wait behind
     *     them (or other control data, for which a socket's options ask).
     */
    public int peekBytes(final int fd, final long address, final int length) {
        options.set(fd, Constants.SO_OOBINLINE, 1);
        return Math.max(0, receiveBytes(fd, address, length, Constants.MSG_DONTWAIT | Constants.MSG_PEEK));
    }

    /**
     * Takes {@code length} bytes that {@link #peekBytes} has copied from a socket that nobody else reads.
     *
     * @return false when they are not all there, or descriptors came with them after all and are lost (which the kernel
     *     does not show when it has no memory for a look at them).
     */
    public boolean skipBytes(final int fd, final int length) {
        int left = length;
        int taken = 1;
        while (left > 0 && taken > 0) {
            taken = receiveBytes(fd, piecesAddress(), Math.min(left, DESCRIPTORS_OFFSET), Constants.MSG_DONTWAIT);
            left -= Math.max(0, taken);
        }
        return left == 0;
    }

    /** How many bytes; {@code -errno}; or 0 if there is control data too, which is lost unless this only peeks. */
    private int receiveBytes(final int fd, final long address, final int length, final int flags) {
        final int received = Syscalls.recvmsgNoControl(fd, address, length, flags, peekAddress());
        return received >= 0 && (memory.buffer().getInt(INT_OFFSET) & Constants.MSG_CTRUNC) != 0 ? 0 : received;
    }

    /** Sets SO_SNDBUF; the kernel limits it to net.core.wmem_max. */
    void sendBuffer(final int fd, final int length) {
        options.set(fd, Constants.SO_SNDBUF, length);
    }

    /** How many bytes can be read (FIONREAD), or {@code -errno}. */
    int unreadBytes(final int fd) {
        final int result = Syscalls.ioctl(fd, Constants.FIONREAD, peekAddress());
        return result < 0 ? result : memory.buffer().getInt(INT_OFFSET);
    }
}
