/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.channel.DescriptorClass;
import io.vsockproxy.file.FileRelay;
import io.vsockproxy.file.LocalFile;
import io.vsockproxy.fuse.FuseMount;
import io.vsockproxy.link.DescriptorChannel;
import io.vsockproxy.link.OutboundRing;
import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.DescriptorReserve;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.stream.DescriptorInspector;
import io.vsockproxy.stream.Origin;
import io.vsockproxy.stream.Stream;
import io.vsockproxy.stream.StreamKind;
import io.vsockproxy.wire.DescriptorType;
import io.vsockproxy.wire.MessageEncoder;
import java.util.Arrays;
import org.agrona.collections.LongArrayList;
import org.agrona.collections.LongHashSet;

/**
 * Sends descriptors: each one that an application has passed gets a handle, under which this side keeps it, and an
 * entry in the Data message of the bytes it came with. Confined to the loop's thread.
 *
 * <p>All or none: if one of a message's descriptors cannot be carried, none is, and the stream they came on is closed,
 * because the message cannot be passed on correctly.
 */
final class DescriptorExport {
    /** How many descriptors sent beside the link may be unconfirmed by the peer. */
    private static final int MAX_IN_TRANSIT = 1024;

    /** How a descriptor is carried. */
    private enum Way {
        /** It stays here, and frames or file requests carry its data. */
        STAYS,
        /** It is sent on the link itself. */
        RIDES,
        /** It is sent beside the link. */
        BESIDE,
        /** A FIFO that is open for reading and writing: it stays here too, and is read on demand. */
        ON_DEMAND,
        /** It is a FIFO that the peer owns, so the peer uses its own. */
        GOES_BACK
    }

    private final DescriptorInspector inspector;
    private final DescriptorReserve reserve;
    private final Session session;
    private final StreamTable streams;
    private final OwnFiles files;
    private final PeerExtension extension;
    private final FuseMount mount;
    private final boolean linkCarriesDescriptors;
    private final DescriptorChannel channel;
    private final LongHashSet inTransit = new LongHashSet();
    /**
     * Handles that the message announces, but whose descriptors could not be kept: they are closed right afterwards.
     */
    private final LongArrayList unwatched = new LongArrayList();
    private final Way[] ways = new Way[ControlData.MAX_DESCRIPTORS];
    private final DescriptorClass[] classes = new DescriptorClass[ControlData.MAX_DESCRIPTORS];
    private final boolean[] unixSockets = new boolean[ControlData.MAX_DESCRIPTORS];

    DescriptorExport(
        final SessionResources resources,
        final Session session,
        final StreamTable streams,
        final OwnFiles files,
        final PeerExtension extension,
        final boolean linkCarriesDescriptors,
        final DescriptorChannel channel) {
        this.inspector = resources.commons().inspector();
        this.reserve = resources.commons().reserve();
        this.session = session;
        this.streams = streams;
        this.files = files;
        this.extension = extension;
        this.mount = resources.mount();
        this.linkCarriesDescriptors = linkCarriesDescriptors;
        this.channel = channel;
    }

    /**
     * Sends the claimed blob of {@code length} bytes with the descriptors that came with it. Takes ownership of those.
     */
    void send(
        final Stream stream,
        final int length,
        final ControlData control,
        final Outbox outbox,
        final SessionCounters counters) {
        final int count = control.count();
        final String obstacle = findObstacle(control, count);
        if (obstacle != null) {
            outbox.abortBlob();
            control.closeAll();
            counters.uncarriableDescriptors += count;
            streams.fail(stream, obstacle);
            return;
        }
        int[] riding = OutboundRing.NO_DESCRIPTORS;
        int end = outbox.trailerIndex(length);
        for (int i = 0; i < count; i++) {
            final int fd = control.descriptor(i);
            final int flags = inspector.statusFlags(fd);
            final boolean tellsPosition = classes[i] == DescriptorClass.REGULAR_FILE && extension.isAgreed();
            final long position = tellsPosition ? inspector.filePosition(fd) : 0;
            final long handle = handle(ways[i], fd);
            switch (ways[i]) {
                case RIDES -> {
                    riding = Arrays.copyOf(riding, riding.length + 1);
                    riding[riding.length - 1] = fd;
                }
                case BESIDE -> {
                    inTransit.add(handle);
                    channel.send(OwnedFd.of(fd));
                }
                case GOES_BACK -> mount.dispose(OwnedFd.of(fd));
                default -> {
                    if (!keep(i, handle, OwnedFd.of(fd))) {
                        unwatched.addLong(handle);
                    }
                }
            }
            end = MessageEncoder.putTransferredDescriptor(outbox.buffer(), end, type(i), handle, flags, position);
        }
        control.clear();
        outbox.sendData(stream.handle(), length, end, riding);
        for (int i = 0; i < unwatched.size(); i++) {
            outbox.sendClose(unwatched.getLong(i));
        }
        unwatched.clear();
    }

    /** Why these descriptors cannot be sent, or null. */
    String findObstacle(final ControlData control) {
        return findObstacle(control, control.count());
    }

    private String findObstacle(final ControlData control, final int count) {
        if (!session.hasHandleRoom(count)) {
            return "no handles left for " + count + " descriptors, open=" + session.handleCount();
        }
        int beside = 0;
        for (int i = 0; i < count; i++) {
            final int fd = control.descriptor(i);
            classes[i] = inspector.inspect(fd);
            unixSockets[i] = inspector.wasUnixSocket();
            if (classes[i] == DescriptorClass.OTHER && !inspector.isOpen(fd)) {
                // A component's mistake: sendmsg would fail, and with it the whole link.
                return "descriptor " + (i + 1) + " of " + count + " (number " + fd + ") is not open";
            }
            ways[i] = way(fd, classes[i]);
            String obstacle = null;
            if (ways[i] == Way.BESIDE) {
                beside++;
                obstacle = findObstacleBeside(beside);
            } else if (ways[i] == Way.ON_DEMAND) {
                final int error = files.checkFifo(fd);
                obstacle = error == 0 ? null : "it cannot be opened once more: " + Errno.name(error);
            }
            if (obstacle != null) {
                return "descriptor " + (i + 1) + " of " + count
                    + " is not a socket, one end of a pipe, or a regular file; " + obstacle;
            }
            if (ways[i] != Way.RIDES && ways[i] != Way.BESIDE && reserve.isSpare(fd)) {
                return "out of descriptors for " + count + " that came, spare from=" + reserve.firstSpare();
            }
        }
        return null;
    }

    private Way way(final int fd, final DescriptorClass what) {
        if (what == DescriptorClass.REGULAR_FILE && mount != null
            && mount.backendOf(fd) instanceof ReceivedFifo received) {
            return received.isOwnedByPeerOf(session) ? Way.GOES_BACK : itself();
        }
        if (what != DescriptorClass.OTHER) {
            return Way.STAYS;
        }
        final Way way = itself();
        final boolean isThere = way == Way.RIDES || (channel != null && channel.isAttached());
        return !isThere && extension.peerTakesFifos() && inspector.isFifoForBoth(fd) ? Way.ON_DEMAND : way;
    }

    /** The way for a descriptor that must be sent itself. */
    private Way itself() {
        return linkCarriesDescriptors ? Way.RIDES : Way.BESIDE;
    }

    /** The handle that the message announces for {@code fd}; 0 for one sent on the link itself. */
    private long handle(final Way way, final int fd) {
        return switch (way) {
            case RIDES -> 0;
            case GOES_BACK -> ((ReceivedFifo) mount.backendOf(fd)).handle();
            default -> session.newHandle();
        };
    }

    /** Why {@code count} descriptors cannot be sent beside the link, or null. */
    private String findObstacleBeside(final int count) {
        if (channel == null) {
            return "this link cannot carry it";
        }
        if (channel.failure() != null) {
            return "it cannot be carried: " + channel.failure();
        }
        return inTransit.size() + count <= MAX_IN_TRANSIT ? null
            : "it cannot be carried: " + inTransit.size() + " such descriptors have not been confirmed";
    }

    /**
     * The peer confirms that it has received the descriptor sent beside the link under {@code handle}. Returns false if
     * none was.
     */
    boolean confirm(final long handle) {
        return inTransit.remove(handle);
    }

    /** Keeps descriptor {@code index} under its handle. Returns false when that is not possible. Takes ownership. */
    private boolean keep(final int index, final long handle, final OwnedFd descriptor) {
        if (ways[index] == Way.ON_DEMAND) {
            return files.addFifo(handle, descriptor);
        }
        final DescriptorClass what = classes[index];
        if (what == DescriptorClass.REGULAR_FILE) {
            files.add(handle, new LocalFile(descriptor, relayOf(descriptor.fd())));
            return true;
        }
        final Origin origin = unixSockets[index] ? Origin.APPLICATION_UNIX : Origin.APPLICATION;
        return streams.open(kind(what), handle, descriptor, origin) != null;
    }

    /**
     * For a file on this proxy's own mount, the session's file that it stands for, through which its owner is asked;
     * otherwise null.
     */
    private FileRelay relayOf(final int fd) {
        return mount != null && mount.backendOf(fd) instanceof ReceivedFile received ? received : null;
    }

    private static StreamKind kind(final DescriptorClass what) {
        return switch (what) {
            case STREAM_SOCKET -> StreamKind.SOCKET_STREAM;
            case DATAGRAM_SOCKET -> StreamKind.SOCKET_DGRAM;
            case SEQPACKET_SOCKET -> StreamKind.SOCKET_SEQPACKET;
            case PIPE_READ_END -> StreamKind.PIPE_READER;
            case PIPE_WRITE_END -> StreamKind.PIPE_WRITER;
            default -> throw new IllegalArgumentException("not a stream: " + what);
        };
    }

    private int type(final int index) {
        if (ways[index] != Way.STAYS) {
            return ways[index] == Way.RIDES || ways[index] == Way.BESIDE
                ? DescriptorType.TRANSPORTABLE : DescriptorType.FIFO;
        }
        return switch (classes[index]) {
            case STREAM_SOCKET -> DescriptorType.SOCKET_STREAM;
            case DATAGRAM_SOCKET -> DescriptorType.SOCKET_DGRAM;
            case SEQPACKET_SOCKET -> DescriptorType.SOCKET_SEQPACKET;
            case PIPE_READ_END -> DescriptorType.FIFO_READ;
            case PIPE_WRITE_END -> DescriptorType.FIFO_WRITE;
            case REGULAR_FILE -> DescriptorType.REGULAR_FILE;
            default -> DescriptorType.TRANSPORTABLE;
        };
    }
}
