/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Memory;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.function.Consumer;
import java.util.function.IntPredicate;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Takes the kernel's requests one by one, and answers them or passes them to a file's backend. Answers are written by
 * {@link FuseReplyWriter}. Confined to the loop's thread.
 *
 * <p>Requests to change the (empty) directory fail with EPERM; operations that nobody needs with ENOSYS, which the
 * kernel remembers, so that it does not ask again. A request that is too short for its kind fails with EINVAL, and is
 * never read beyond its end.
 */
final class FuseServer {
    /** How {@link #serve} went. */
    enum Outcome {
        /** No request is left that should be handled now. */
        SERVED,
        /** A request could not be read; the kernel answers it with EIO. The next one should be read some time later. */
        READ_FAILED,
        /** There will be no more requests. */
        ENDED
    }

    /** How many requests may wait for backends; further ones fail with ENOMEM, except write-backs. */
    static final int MAX_REQUESTS = 16384;

    /** After so many failures in a row to read a request, the mount ends. */
    static final int MAX_FAILED_READS = 500;

    private static final Logger LOGGER = System.getLogger(FuseServer.class.getName());
    private static final int MAX_REQUESTS_PER_READINESS = 64;
    private static final int READ_OK = 4;
    private static final int WRITE_OK = 2;
    private static final int EXECUTE_OK = 1;

    private final FuseChannel channel;
    private final FuseNodes nodes;
    private final FuseRequests requests = new FuseRequests(MAX_REQUESTS);
    private final FuseReplyWriter replies;
    private final int uid;
    private final int gid;
    private final FuseInterrupts interrupts;
    private final ParkedWrites parkedWrites;
    private UnsafeBuffer buffer;
    private int failedReads;
    private boolean dispatching;

    /**
     * @param uid        shown as the owner of everything, and {@code gid} as the group.
     * @param onExamined called when a node for which {@link #askFirst} was called has its attributes, or cannot get
     *                   them.
     * @param isDying    whether the thread with this id has been sent a signal that will kill it.
     */
    FuseServer(
        final FuseChannel channel,
        final FuseNodes nodes,
        final int uid,
        final int gid,
        final Consumer<FuseNode> onExamined,
        final IntPredicate isDying) {
        this.channel = channel;
        this.nodes = nodes;
        this.uid = uid;
        this.gid = gid;
        parkedWrites = new ParkedWrites(channel, this::offer);
        replies = new FuseReplyWriter(channel, requests, parkedWrites, uid, gid, onExamined);
        interrupts = new FuseInterrupts(requests, parkedWrites, isDying);
        buffer = channel.request().buffer();
    }

    /** How many requests wait for backends. */
    int requestCount() {
        return requests.size();
    }

    /** The handling of callers that were sent a signal. */
    FuseInterrupts interrupts() {
        return interrupts;
    }

    /** Offers parked writes to their backends again. */
    void resume() {
        dispatching = true;
        try {
            parkedWrites.offerAll();
        } finally {
            dispatching = false;
            freeIfClosed();
        }
    }

    /**
     * Asks {@code node}'s backend for the attributes, before the file is opened. Returns false when there are too many
     * requests.
     */
    boolean askFirst(final FuseNode node) {
        final FuseRequest request = requests.acquire(replies, false);
        if (request == null) {
            return false;
        }
        node.backend().getattr(request.begin(FuseRequest.Kind.FIRST_GETATTR, 0, node, 0, 0));
        return true;
    }

    /** Handles waiting requests, up to a limit: the loop calls again while there are more. */
    Outcome serve() {
        dispatching = true;
        try {
            for (int i = 0; i < MAX_REQUESTS_PER_READINESS && !channel.isClosed(); i++) {
                final int length = channel.read();
                if (length >= 0) {
                    failedReads = 0;
                    dispatch(length);
                } else if (length == -Errno.EAGAIN) {
                    return Outcome.SERVED;
                } else if (length != -Errno.ENOENT) {
                    // ENOENT: the request was interrupted while it was being read.
                    return onReadFailed(-length);
                }
                if (requests.size() <= 1) {
                    // With one client at a time, another read would only find nothing, and be a third of all system
                    // calls.
                    return Outcome.SERVED;
                }
            }
            return Outcome.SERVED;
        } finally {
            dispatching = false;
            freeIfClosed();
        }
    }

    /**
     * Only two errors say that the connection has ended (fuse_dev_do_read in the kernel's fs/fuse/dev.c). Others, like
     * ENOMEM, concern one request, which the kernel has answered with EIO by then.
     */
    private Outcome onReadFailed(final int errno) {
        if (errno == Errno.ENODEV || errno == Errno.ECONNABORTED) {
            return Outcome.ENDED;
        }
        failedReads++;
        if (failedReads < MAX_FAILED_READS) {
            return Outcome.READ_FAILED;
        }
        LOGGER.log(Level.ERROR, "the mount ends, and all files on it are closed: {0} requests in a row could not be "
            + "read from /dev/fuse: {1}", failedReads, Errno.name(errno));
        return Outcome.ENDED;
    }

    /** Handles the request of {@code length} bytes in the channel's buffer. */
    void dispatch(final int length) {
        final int start = FuseChannel.REQUEST_OFFSET;
        if (length < FuseInHeader.LENGTH) {
            return;
        }
        final int opcode = FuseInHeader.opcode(buffer, start);
        final long unique = FuseInHeader.unique(buffer, start);
        final long nodeId = FuseInHeader.nodeId(buffer, start);
        final int arguments = length - FuseInHeader.LENGTH;
        if (FuseInHeader.length(buffer, start) != length) {
            refuse(opcode, unique);
            return;
        }
        switch (opcode) {
            case FuseProtocol.READ -> read(unique, nodeId, arguments);
            case FuseProtocol.WRITE -> write(unique, nodeId, arguments);
            case FuseProtocol.GETATTR -> getattr(unique, nodeId);
            case FuseProtocol.SETATTR -> setattr(unique, nodeId, arguments);
            case FuseProtocol.LOOKUP -> lookup(unique, nodeId, arguments);
            case FuseProtocol.OPEN -> open(unique, nodeId, arguments);
            case FuseProtocol.RELEASE -> release(unique, nodeId);
            case FuseProtocol.FSYNC -> fsync(unique, nodeId, arguments);
            case FuseProtocol.POLL -> poll(unique, nodeId, arguments);
            case FuseProtocol.FORGET -> forget(nodeId, arguments);
            case FuseProtocol.BATCH_FORGET -> batchForget(arguments);
            case FuseProtocol.INTERRUPT -> interrupt(arguments);
            case FuseProtocol.ACCESS -> access(unique, nodeId, arguments);
            case FuseProtocol.INIT -> replies.agreed(unique, buffer, arguments);
            default -> serveRest(opcode, unique);
        }
    }

    /** At the end of the mount: answers every waiting request with EIO. The backends' answers are then dropped. */
    void abandonAll() {
        requests.forEach(request -> request.abandon(Errno.EIO));
        parkedWrites.abandonAll(Errno.EIO);
    }

    /** Makes whoever polls the open file {@code waker} look again. */
    void wake(final long waker) {
        channel.sendWakeUp(waker);
    }

    /** Closes the connection. The memory is freed once no request is being handled. */
    void close() {
        channel.close();
        freeIfClosed();
    }

    // ---- Requests for a file's backend

    private void read(final long unique, final long nodeId, final int arguments) {
        final FuseNode node = backedNode(unique, nodeId, arguments, FuseArguments.READ_IN_LENGTH);
        if (node != null) {
            final long offset = FuseArguments.ioOffset(buffer, FuseChannel.ARGUMENTS_OFFSET);
            final int size = FuseArguments.ioSize(buffer, FuseChannel.ARGUMENTS_OFFSET);
            if (offset < 0 || size < 0) {
                replies.error(unique, Errno.EINVAL);
                return;
            }
            final int flags = FuseArguments.ioFlags(buffer, FuseChannel.ARGUMENTS_OFFSET);
            if (node.isStream() && (flags & FuseProtocol.FUSE_READ_LOCKOWNER) == 0) {
                // It is for a page of a mapping: the bytes would be missing for whoever reads the stream.
                replies.error(unique, Errno.EOPNOTSUPP);
                return;
            }
            final int length = Math.min(size, FuseChannel.MAX_DATA_LENGTH);
            final FuseRequest request = begin(FuseRequest.Kind.READ, unique, node, offset, length);
            if (request != null) {
                request.statusFlags(FuseArguments.ioStatusFlags(buffer, FuseChannel.ARGUMENTS_OFFSET));
                node.backend().read(request, offset, length);
            }
        }
    }

    private void write(final long unique, final long nodeId, final int arguments) {
        final FuseNode node = backedNode(unique, nodeId, arguments, FuseArguments.WRITE_IN_LENGTH);
        if (node != null) {
            final long offset = FuseArguments.ioOffset(buffer, FuseChannel.ARGUMENTS_OFFSET);
            final int length = FuseArguments.ioSize(buffer, FuseChannel.ARGUMENTS_OFFSET);
            final int flags = FuseArguments.ioFlags(buffer, FuseChannel.ARGUMENTS_OFFSET);
            final boolean isWriteBack = (flags & FuseProtocol.FUSE_WRITE_CACHE) != 0;
            if (offset < 0 || length < 0 || length > arguments - FuseArguments.WRITE_IN_LENGTH) {
                replies.error(unique, Errno.EINVAL);
            } else if ((node.isAppending() || node.isStream()) && isWriteBack) {
                // A page of a shared mapping must be written where it belongs, but the owner's descriptor would append
                // it.
                replies.error(unique, Errno.EOPNOTSUPP);
            } else {
                // The pages of a write-back would be lost, and the kernel itself limits how many of these it sends.
                final FuseRequest request =
                    begin(FuseRequest.Kind.WRITE, unique, node, offset, length, isWriteBack);
                if (request != null) {
                    request.statusFlags(FuseArguments.ioStatusFlags(buffer, FuseChannel.ARGUMENTS_OFFSET));
                    // Pages of a mapping must be written completely: the kernel would not send the rest again.
                    request.divisible(!isWriteBack);
                    final Memory data = isWriteBack ? keepData(request) : channel.request();
                    if (!offer(request, data)) {
                        park(request);
                    }
                }
            }
        }
    }

    /**
     * Offers the write in {@code data} to its backend. Returns false when that has no room, unless the mount has ended
     * meanwhile.
     */
    private boolean offer(final FuseRequest request, final Memory data) {
        final FileBackend backend = request.node().backend();
        if (backend != null && backend.write(
            request, request.offset(), data.buffer(), request.dataIndex(), request.length())) {
            return true;
        }
        if (backend != null && !channel.isClosed()) {
            return false;
        }
        request.replyError(Errno.EIO);
        return true;
    }

    /** Keeps the write that has just been read, because it may be postponed. */
    private Memory keepData(final FuseRequest request) {
        final Memory data = channel.detachRequest();
        buffer = channel.request().buffer();
        request.data(data);
        return data;
    }

    private void park(final FuseRequest request) {
        if (parkedWrites.park(request)) {
            buffer = channel.request().buffer();
        } else {
            request.replyError(Errno.EAGAIN);
        }
    }

    private void getattr(final long unique, final long nodeId) {
        if (nodeId == FuseProtocol.ROOT_ID) {
            replies.rootAttributes(unique);
            return;
        }
        final FuseNode node = backedNode(unique, nodeId, 0, 0);
        if (node != null) {
            askAttributes(unique, node, FuseRequest.ANY_PERMISSIONS);
        }
    }

    private void askAttributes(final long unique, final FuseNode node, final int permissions) {
        final FuseRequest request = begin(FuseRequest.Kind.GETATTR, unique, node, 0, 0);
        if (request != null) {
            node.backend().getattr(request.permissions(permissions));
        }
    }

    private void setattr(final long unique, final long nodeId, final int arguments) {
        if (nodeId == FuseProtocol.ROOT_ID) {
            replies.error(unique, Errno.EPERM);
            return;
        }
        final FuseNode node = backedNode(unique, nodeId, arguments, FuseAttributes.SETATTR_IN_LENGTH);
        if (node == null) {
            return;
        }
        final int valid = FuseAttributes.setattrValid(buffer, FuseChannel.ARGUMENTS_OFFSET);
        final boolean changesMode = (valid & FuseProtocol.FATTR_MODE) != 0;
        final boolean changesSize = (valid & FuseProtocol.FATTR_SIZE) != 0 && !isIgnoredTruncation(node, valid);
        if (changesOwner(valid) || (changesMode && changesSize)) {
            replies.error(unique, Errno.EPERM);
        } else if (!changesSize) {
            // Times cannot be set: the answer shows the actual ones.
            askAttributes(unique, node, changesMode
                ? FuseAttributes.setattrPermissions(buffer, FuseChannel.ARGUMENTS_OFFSET)
                : FuseRequest.ANY_PERMISSIONS);
        } else if (!node.isWritable()) {
            replies.error(unique, Errno.EACCES);
        } else {
            final long size = FuseAttributes.setattrSize(buffer, FuseChannel.ARGUMENTS_OFFSET);
            if (size < 0) {
                replies.error(unique, Errno.EINVAL);
                return;
            }
            final FuseRequest request = begin(FuseRequest.Kind.TRUNCATE, unique, node, size, 0);
            if (request != null) {
                node.backend().truncate(request, size);
            }
        }
    }

    /** Whether it comes from an open(2) with O_TRUNC, which has no effect on a FIFO. */
    private boolean isIgnoredTruncation(final FuseNode node, final int valid) {
        return node.isStream() && (valid & FuseProtocol.FATTR_FH) == 0
            && FuseAttributes.setattrSize(buffer, FuseChannel.ARGUMENTS_OFFSET) == 0;
    }

    /** Whether the request would change the owner or group. */
    private boolean changesOwner(final int valid) {
        final int offset = FuseChannel.ARGUMENTS_OFFSET;
        return ((valid & FuseProtocol.FATTR_UID) != 0 && FuseAttributes.setattrUid(buffer, offset) != uid)
            || ((valid & FuseProtocol.FATTR_GID) != 0 && FuseAttributes.setattrGid(buffer, offset) != gid);
    }

    private void fsync(final long unique, final long nodeId, final int arguments) {
        final FuseNode node = backedNode(unique, nodeId, arguments, FuseArguments.FSYNC_IN_LENGTH);
        if (node != null) {
            final FuseRequest request = begin(FuseRequest.Kind.FSYNC, unique, node, 0, 0);
            if (request != null) {
                final int flags = FuseArguments.fsyncFlags(buffer, FuseChannel.ARGUMENTS_OFFSET);
                node.backend().fsync(request, (flags & FuseProtocol.FUSE_FSYNC_FDATASYNC) != 0);
            }
        }
    }

    private void poll(final long unique, final long nodeId, final int arguments) {
        final FuseNode node = backedNode(unique, nodeId, arguments, FuseArguments.POLL_IN_LENGTH);
        if (node != null) {
            final int offset = FuseChannel.ARGUMENTS_OFFSET;
            final boolean wakes =
                (FuseArguments.pollFlags(buffer, offset) & FuseProtocol.FUSE_POLL_SCHEDULE_NOTIFY) != 0;
            final FuseRequest request = begin(FuseRequest.Kind.POLL, unique, node, 0, 0);
            if (request != null) {
                node.backend().poll(request, FuseArguments.pollEvents(buffer, offset),
                    wakes ? FuseArguments.pollHandle(buffer, offset) : 0);
            }
        }
    }

    private void interrupt(final int arguments) {
        if (arguments < FuseArguments.INTERRUPT_IN_LENGTH) {
            return;
        }
        // The kernel expects no answer to this.
        interrupts.onInterrupt(FuseArguments.interruptUnique(buffer, FuseChannel.ARGUMENTS_OFFSET));
    }

    // ---- Names and open files

    private void lookup(final long unique, final long parentId, final int arguments) {
        final FuseNode node = parentId != FuseProtocol.ROOT_ID
            ? null : nodes.find(FuseName.parse(buffer, FuseChannel.ARGUMENTS_OFFSET, arguments));
        if (node == null || node.backend() == null) {
            replies.error(unique, Errno.ENOENT);
            return;
        }
        // If nobody waited for the answer, it is not a lookup that a FORGET will take back.
        if (replies.entry(unique, node) == 0) {
            node.onLookedUp();
        }
    }

    private void open(final long unique, final long nodeId, final int arguments) {
        final FuseNode node = backedNode(unique, nodeId, arguments, FuseArguments.OPEN_IN_LENGTH);
        if (node == null) {
            return;
        }
        if (!node.allows(FuseArguments.openFlags(buffer, FuseChannel.ARGUMENTS_OFFSET))) {
            replies.error(unique, Errno.EACCES);
            return;
        }
        if (replies.opened(unique, nodeId, node.fopenFlags()) == 0) {
            node.onFileOpened();
            nodes.hide(node);
        }
    }

    private void release(final long unique, final long nodeId) {
        replies.error(unique, 0);
        final FuseNode node = nodes.get(nodeId);
        if (node != null) {
            node.onFileReleased();
            nodes.settle(node);
        }
    }

    private void forget(final long nodeId, final int arguments) {
        if (arguments >= FuseArguments.FORGET_IN_LENGTH) {
            forget(nodeId, FuseArguments.forgetLookups(buffer, FuseChannel.ARGUMENTS_OFFSET));
        }
    }

    private void batchForget(final int arguments) {
        if (arguments < FuseArguments.BATCH_FORGET_IN_LENGTH) {
            return;
        }
        final int present = (arguments - FuseArguments.BATCH_FORGET_IN_LENGTH) / FuseArguments.FORGET_ONE_LENGTH;
        final int said = FuseArguments.batchForgetCount(buffer, FuseChannel.ARGUMENTS_OFFSET);
        int offset = FuseChannel.ARGUMENTS_OFFSET + FuseArguments.BATCH_FORGET_IN_LENGTH;
        for (int i = 0; i < present && i < said; i++) {
            forget(FuseArguments.forgetOneNodeId(buffer, offset), FuseArguments.forgetOneLookups(buffer, offset));
            offset += FuseArguments.FORGET_ONE_LENGTH;
        }
    }

    private void forget(final long nodeId, final long lookups) {
        final FuseNode node = nodes.get(nodeId);
        if (node != null && lookups > 0) {
            node.onForgotten(lookups);
            nodes.settle(node);
        }
    }

    private void access(final long unique, final long nodeId, final int arguments) {
        if (arguments < FuseArguments.ACCESS_IN_LENGTH) {
            replies.error(unique, Errno.EINVAL);
            return;
        }
        final int mask = FuseArguments.accessMask(buffer, FuseChannel.ARGUMENTS_OFFSET);
        int denied = WRITE_OK;
        if (nodeId != FuseProtocol.ROOT_ID) {
            final FuseNode node = backedNode(unique, nodeId, 0, 0);
            if (node == null) {
                return;
            }
            denied = EXECUTE_OK | (node.isReadable() ? 0 : READ_OK) | (node.isWritable() ? 0 : WRITE_OK);
        }
        replies.error(unique, (mask & denied) != 0 ? Errno.EACCES : 0);
    }

    // ---- The file system as a whole

    private void serveRest(final int opcode, final long unique) {
        switch (opcode) {
            case FuseProtocol.OPENDIR -> replies.opened(unique, FuseProtocol.ROOT_ID, 0);
            case FuseProtocol.STATFS -> replies.statistics(unique);
            case FuseProtocol.READDIR, FuseProtocol.READDIRPLUS, FuseProtocol.RELEASEDIR, FuseProtocol.FSYNCDIR,
                FuseProtocol.DESTROY -> replies.error(unique, 0);
            case FuseProtocol.SYMLINK, FuseProtocol.MKNOD, FuseProtocol.MKDIR, FuseProtocol.UNLINK,
                FuseProtocol.RMDIR, FuseProtocol.RENAME, FuseProtocol.RENAME2, FuseProtocol.LINK,
                FuseProtocol.CREATE, FuseProtocol.TMPFILE -> replies.error(unique, Errno.EPERM);
            case FuseProtocol.NOTIFY_REPLY -> {
                // Answers a notification that is never sent here.
            }
            // Also FLUSH: nothing is buffered that a close would have to wait for, and ENOSYS makes the kernel stop
            // asking.
            default -> replies.error(unique, Errno.ENOSYS);
        }
    }

    /**
     * The node, if there are enough arguments and it has a backend; otherwise answers with an error, and returns null.
     */
    private FuseNode backedNode(final long unique, final long nodeId, final int arguments, final int needed) {
        final FuseNode node = nodes.get(nodeId);
        if (arguments < needed) {
            replies.error(unique, Errno.EINVAL);
            return null;
        }
        if (node == null || node.backend() == null) {
            replies.error(unique, Errno.EIO);
            return null;
        }
        return node;
    }

    private FuseRequest begin(
        final FuseRequest.Kind kind, final long unique, final FuseNode node, final long offset, final int length) {
        return begin(kind, unique, node, offset, length, false);
    }

    private FuseRequest begin(
        final FuseRequest.Kind kind, final long unique, final FuseNode node, final long offset, final int length,
        final boolean needed) {
        final FuseRequest request = requests.acquire(replies, needed);
        if (request == null) {
            replies.error(unique, Errno.ENOMEM);
            return null;
        }
        return request.begin(kind, unique, node, offset, length)
            .taskId(FuseInHeader.taskId(buffer, FuseChannel.REQUEST_OFFSET));
    }

    private void refuse(final int opcode, final long unique) {
        switch (opcode) {
            case FuseProtocol.FORGET, FuseProtocol.BATCH_FORGET, FuseProtocol.INTERRUPT, FuseProtocol.NOTIFY_REPLY -> {
                // These have no answer.
            }
            default -> replies.error(unique, Errno.EINVAL);
        }
    }

    private void freeIfClosed() {
        if (channel.isClosed() && !dispatching) {
            channel.free();
        }
    }
}
