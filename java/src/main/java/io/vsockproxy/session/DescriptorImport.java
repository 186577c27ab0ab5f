/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.channel.DescriptorClass;
import io.vsockproxy.link.DescriptorChannel;
import io.vsockproxy.link.ReceivedDescriptors;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.stream.ChannelDelivery;
import io.vsockproxy.stream.ChannelStream;
import io.vsockproxy.stream.Delivery;
import io.vsockproxy.stream.Origin;
import io.vsockproxy.stream.StandIns;
import io.vsockproxy.stream.Stream;
import io.vsockproxy.stream.StreamKind;
import io.vsockproxy.wire.DescriptorType;
import io.vsockproxy.wire.MessageDecoder;
import java.util.Arrays;

/**
 * Receives descriptors: for each entry of a Data message a stand-in is made, one end of which goes to the application;
 * the other end becomes a stream under the entry's handle. Confined to the loop's thread.
 *
 * <p>All or none, as when sending: if one cannot be made or delivered, the owner is told to close all of the message's
 * handles, and the stream they came for is closed, but no other. Entries that no correct peer sends end the session
 * before anything is made.
 */
final class DescriptorImport {
    private final Session session;
    private final StreamTable streams;
    private final OwnFiles ownFiles;
    private final ReceivedFiles files;
    private final PeerExtension extension;
    private final ReceivedDescriptors received;
    private final DescriptorChannel channel;
    private final StandIns standIns;
    private boolean lost;

    DescriptorImport(
        final SessionResources resources,
        final Session session,
        final StreamTable streams,
        final OwnFiles ownFiles,
        final ReceivedFiles files,
        final PeerExtension extension,
        final ReceivedDescriptors received,
        final DescriptorChannel channel) {
        this.session = session;
        this.ownFiles = ownFiles;
        this.extension = extension;
        this.standIns = resources.commons().standIns();
        this.streams = streams;
        this.files = files;
        this.received = received;
        this.channel = channel;
    }

    /** Handles a Data message with descriptors. */
    void onData(final MessageDecoder message, final Outbox outbox, final SessionCounters counters) {
        final int count = message.descriptorCount();
        check(message, count);
        lost = false;
        final Stream stream = session.writableStream(message.handle());
        if (stream == null || !stream.carriesDescriptors()) {
            counters.undeliverableDescriptors += count;
            refuse(message, 0, outbox);
            if (stream != null) {
                streams.fail(stream, count + " descriptors came for it, which it cannot carry");
            } else {
                counters.unknownHandles++;
            }
            return;
        }
        final ChannelStream component = stream instanceof ChannelStream channelStream ? channelStream : null;
        final int[] descriptors = new int[count];
        Arrays.fill(descriptors, -1);
        for (int i = 0; i < count; i++) {
            final String obstacle = make(message, i, descriptors, component);
            if (obstacle != null) {
                counters.undeliverableDescriptors += count;
                undo(message, i, descriptors, outbox);
                // The one that failed has been taken from the link, if it came there; if it was to come beside the
                // link, it never will.
                for (int made = 0; made <= i; made++) {
                    if (made == i || !comesBeside(message, made)) {
                        closeAtOwner(message, made, outbox);
                    }
                }
                refuse(message, i + 1, outbox);
                streams.fail(stream, "descriptor " + (i + 1) + " of " + count + " ("
                    + DescriptorType.name(message.descriptorType(i)) + "): " + obstacle);
                return;
            }
        }
        counters.bytesIn += message.blobLength();
        deliver(message, stream, descriptors, outbox);
        for (int i = 0; i < count; i++) {
            if (message.descriptorType(i) == DescriptorType.TRANSPORTABLE && !comesBeside(message, i)) {
                closeAtOwner(message, i, outbox);
            }
        }
    }

    private void deliver(
        final MessageDecoder message, final Stream stream, final int[] descriptors, final Outbox outbox) {
        if (stream instanceof ChannelStream component) {
            final ChannelDelivery delivery = owned(message, descriptors);
            component.deliver(message.buffer(), message.blobOffset(), message.blobLength(), delivery);
            for (int i = 0; i < descriptors.length; i++) {
                if (comesBeside(message, i)) {
                    channel.receive(receiver(message.descriptorHandle(i), delivery, i, stream, outbox));
                }
            }
            return;
        }
        if (!hasMissing(descriptors)) {
            stream.deliver(message.buffer(), message.blobOffset(), message.blobLength(), descriptors);
            return;
        }
        // Files are opened on another thread: opening a file of the own mount on the loop would deadlock.
        final Delivery delivery = new Delivery(descriptors);
        stream.deliver(message.buffer(), message.blobOffset(), message.blobLength(), delivery);
        for (int i = 0; i < descriptors.length; i++) {
            if (isOpenedHere(message, i)) {
                final long position = extension.isAgreed() ? message.descriptorPosition(i) : 0;
                files.open(
                    message.descriptorHandle(i), message.descriptorFlags(i), position, delivery, i, stream);
            } else if (comesBeside(message, i)) {
                channel.receive(receiver(message.descriptorHandle(i), delivery, i, stream, outbox));
            }
        }
    }

    /**
     * Whether the descriptor of entry {@code index} comes beside the link, so that its arrival is confirmed to the
     * owner.
     */
    private boolean comesBeside(final MessageDecoder message, final int index) {
        return channel != null && message.descriptorType(index) == DescriptorType.TRANSPORTABLE
            && message.descriptorHandle(index) != 0;
    }

    private DescriptorChannel.Receiver receiver(
        final long handle, final Delivery delivery, final int index, final Stream stream, final Outbox outbox) {
        return new DescriptorChannel.Receiver() {
            @Override
            public void onDescriptor(final OwnedFd descriptor) {
                delivery.supply(index, descriptor);
                session.guarded(() -> outbox.sendClose(handle));
            }

            @Override
            public void onLost(final String reason) {
                session.guarded(() -> {
                    outbox.sendClose(handle);
                    if (!delivery.isAbandoned()) {
                        streams.fail(stream, "descriptor " + (index + 1) + ": " + reason);
                    }
                });
                stream.close();
            }
        };
    }

    /** Receives and closes the next descriptor that comes beside the link, so that later ones keep their order. */
    private void dispose(final long handle, final Outbox outbox) {
        channel.receive(new DescriptorChannel.Receiver() {
            @Override
            public void onDescriptor(final OwnedFd descriptor) {
                descriptor.close();
                session.guarded(() -> outbox.sendClose(handle));
            }

            @Override
            public void onLost(final String reason) {
                session.guarded(() -> outbox.sendClose(handle));
            }
        });
    }

    /**
     * What a component gets for each entry: the owner of a descriptor, a file or a channel; nothing yet for what comes
     * beside the link.
     */
    private ChannelDelivery owned(final MessageDecoder message, final int[] descriptors) {
        final DescriptorClass[] kinds = new DescriptorClass[descriptors.length];
        final AutoCloseable[] owned = new AutoCloseable[descriptors.length];
        for (int i = 0; i < descriptors.length; i++) {
            kinds[i] = what(message.descriptorType(i));
            if (kinds[i] == DescriptorClass.REGULAR_FILE) {
                owned[i] = files.forChannel(message.descriptorHandle(i));
            } else if (isChannel(message, i)) {
                owned[i] = streams.get(message.descriptorHandle(i));
            } else if (!comesBeside(message, i)) {
                owned[i] = OwnedFd.of(descriptors[i]);
            }
        }
        return new ChannelDelivery(kinds, owned);
    }

    /** Whether entry {@code index}, for which make has succeeded, is a channel that a component may take. */
    private boolean isChannel(final MessageDecoder message, final int index) {
        return message.descriptorType(index) == DescriptorType.SOCKET_STREAM
            && streams.get(message.descriptorHandle(index)) instanceof ChannelStream;
    }

    private static boolean hasMissing(final int[] descriptors) {
        for (final int descriptor : descriptors) {
            if (descriptor == Delivery.MISSING) {
                return true;
            }
        }
        return false;
    }

    private void check(final MessageDecoder message, final int count) {
        for (int i = 0; i < count; i++) {
            final int type = message.descriptorType(i);
            final long handle = message.descriptorHandle(i);
            if (!DescriptorType.isKnown(type) || (type == DescriptorType.FIFO && !extension.takesFifos())) {
                throw new ProtocolException("descriptor " + (i + 1) + " of " + count + " has unknown type " + type);
            }
            if ((type == DescriptorType.TRANSPORTABLE && handle == 0) || comesBack(message, i)) {
                continue;
            }
            if (!session.isNewPeerHandle(handle) || isRepeated(message, i)) {
                throw new ProtocolException("descriptor " + (i + 1) + " of " + count + " has handle " + handle
                    + ", which is zero, of the wrong sign or in use");
            }
        }
    }

    private static boolean isRepeated(final MessageDecoder message, final int index) {
        final long handle = message.descriptorHandle(index);
        for (int i = 0; i < index; i++) {
            if (message.descriptorHandle(i) == handle) {
                return true;
            }
        }
        return false;
    }

    /** Makes what the application gets for entry {@code index}. Returns why that failed, or null. */
    private String make(
        final MessageDecoder message, final int index, final int[] descriptors, final ChannelStream component) {
        final int type = message.descriptorType(index);
        final int flags = message.descriptorFlags(index);
        if (comesBeside(message, index)) {
            descriptors[index] = Delivery.MISSING;
            return channel.failure();
        }
        if (type == DescriptorType.TRANSPORTABLE) {
            final int descriptor = takeReceived();
            if (descriptor < 0) {
                return lost ? "lost, out of descriptors" : "was not sent along";
            }
            descriptors[index] = descriptor;
            return null;
        }
        if (comesBack(message, index)) {
            final int descriptor = ownFiles.duplicateFifo(message.descriptorHandle(index));
            if (descriptor < 0) {
                return "given back: " + Errno.name(-descriptor);
            }
            descriptors[index] = descriptor;
            return null;
        }
        if (!session.hasHandleRoom(1)) {
            return "no handles left, open=" + session.handleCount();
        }
        if (type == DescriptorType.REGULAR_FILE || type == DescriptorType.FIFO) {
            final String obstacle = addFile(type, message.descriptorHandle(index), flags, component != null);
            descriptors[index] = Delivery.MISSING;
            return obstacle;
        }
        if (component != null && component.socketsAsChannels() && type == DescriptorType.SOCKET_STREAM) {
            streams.openChannel(message.descriptorHandle(index), null);
            return null;
        }
        final StreamKind kind = kind(type);
        final int error = standIns.make(kind, flags);
        if (error != 0) {
            return Errno.name(error);
        }
        descriptors[index] = standIns.applicationEnd();
        final OwnedFd ownEnd = OwnedFd.of(standIns.ownEnd());
        if (streams.open(kind, message.descriptorHandle(index), ownEnd, Origin.STAND_IN) == null) {
            Syscalls.close(descriptors[index]);
            return "cannot be watched";
        }
        return null;
    }

    private String addFile(final int type, final long handle, final int flags, final boolean forChannel) {
        if (forChannel && type == DescriptorType.REGULAR_FILE) {
            files.addForChannel(handle, flags);
        } else if (forChannel) {
            return "a component cannot use a FIFO that is open for reading and writing";
        } else if (!files.isAvailable()) {
            return "this proxy has no mount for regular files (--files)";
        } else if (type == DescriptorType.FIFO) {
            files.addFifo(handle);
        } else {
            files.add(handle);
        }
        return null;
    }

    /** Whether entry {@code index} is a FIFO that this side owns and had passed to the peer. */
    private boolean comesBack(final MessageDecoder message, final int index) {
        return message.descriptorType(index) == DescriptorType.FIFO
            && session.isOwnHandle(message.descriptorHandle(index));
    }

    /** Whether entry {@code index} is a file on the mount here. */
    private boolean isOpenedHere(final MessageDecoder message, final int index) {
        final int type = message.descriptorType(index);
        return type == DescriptorType.REGULAR_FILE
            || (type == DescriptorType.FIFO && !comesBack(message, index));
    }

    /** Undoes what has been made for the first {@code count} entries. */
    private void undo(
        final MessageDecoder message, final int count, final int[] descriptors, final Outbox outbox) {
        for (int i = 0; i < count; i++) {
            if (comesBeside(message, i)) {
                dispose(message.descriptorHandle(i), outbox);
            } else if (isChannel(message, i)) {
                streams.discard(message.descriptorHandle(i));
            } else if (descriptors[i] == Delivery.MISSING) {
                files.forget(message.descriptorHandle(i));
            } else {
                Syscalls.close(descriptors[i]);
                if (!comesBack(message, i)) {
                    streams.discard(message.descriptorHandle(i));
                }
            }
        }
    }

    /**
     * Refuses the entries from {@code from} on: closes descriptors that came on the link or will come beside it, and
     * tells the owner to close the others.
     */
    private void refuse(final MessageDecoder message, final int from, final Outbox outbox) {
        for (int i = from; i < message.descriptorCount(); i++) {
            if (comesBeside(message, i)) {
                dispose(message.descriptorHandle(i), outbox);
                continue;
            }
            if (message.descriptorType(i) == DescriptorType.TRANSPORTABLE) {
                final int descriptor = takeReceived();
                if (descriptor >= 0) {
                    Syscalls.close(descriptor);
                }
            }
            closeAtOwner(message, i, outbox);
        }
    }

    /**
     * The next descriptor that came on the link, or a negative number. One mark stands for all that this message has
     * lost.
     */
    private int takeReceived() {
        final int descriptor = lost ? ReceivedDescriptors.LOST : received.take();
        if (!lost && descriptor == ReceivedDescriptors.LOST) {
            session.counters().truncatedControlData++;
        }
        lost = descriptor == ReceivedDescriptors.LOST;
        return descriptor;
    }

    /**
     * Tells the owner that entry {@code index} is not in use here, unless it came on the link or is this side's own.
     */
    private void closeAtOwner(final MessageDecoder message, final int index, final Outbox outbox) {
        final long handle = message.descriptorHandle(index);
        if (handle != 0 && !comesBack(message, index)) {
            outbox.sendClose(handle);
        }
    }

    private static DescriptorClass what(final int type) {
        return switch (type) {
            case DescriptorType.SOCKET_STREAM -> DescriptorClass.STREAM_SOCKET;
            case DescriptorType.SOCKET_DGRAM -> DescriptorClass.DATAGRAM_SOCKET;
            case DescriptorType.SOCKET_SEQPACKET -> DescriptorClass.SEQPACKET_SOCKET;
            case DescriptorType.FIFO_READ -> DescriptorClass.PIPE_READ_END;
            case DescriptorType.FIFO_WRITE -> DescriptorClass.PIPE_WRITE_END;
            case DescriptorType.REGULAR_FILE -> DescriptorClass.REGULAR_FILE;
            default -> DescriptorClass.OTHER;
        };
    }

    /** The kind of the end that this side keeps: for a pipe, the opposite of the application's. */
    private static StreamKind kind(final int type) {
        return switch (type) {
            case DescriptorType.SOCKET_STREAM -> StreamKind.SOCKET_STREAM;
            case DescriptorType.SOCKET_DGRAM -> StreamKind.SOCKET_DGRAM;
            case DescriptorType.SOCKET_SEQPACKET -> StreamKind.SOCKET_SEQPACKET;
            case DescriptorType.FIFO_READ -> StreamKind.PIPE_WRITER;
            case DescriptorType.FIFO_WRITE -> StreamKind.PIPE_READER;
            default -> throw new IllegalArgumentException("not a stream: " + DescriptorType.name(type));
        };
    }
}
