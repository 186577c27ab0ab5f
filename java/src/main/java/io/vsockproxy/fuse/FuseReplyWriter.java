/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.FileAttributes;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.SplicePipe;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.function.Consumer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Writes answers to /dev/fuse. Confined to the loop's thread.
 */
final class FuseReplyWriter implements FuseReplies {
    private static final Logger LOGGER = System.getLogger(FuseReplyWriter.class.getName());
    private final FuseChannel channel;
    private final FuseRequests requests;
    private final ParkedWrites parkedWrites;
    private final int uid;
    private final int gid;
    private final Consumer<FuseNode> onExamined;
    /** The attributes of the root: readable for its owner, with the two links of an empty directory. */
    private final FileAttributes root = new FileAttributes().set(0, 0500, 2, 0, 0, 0, 0);
    private final UnsafeBuffer reply;

    /**
     * @param requests     gets the requests back that have been answered.
     * @param parkedWrites gets the write-backs that have been postponed.
     * @param uid          shown as the owner of everything, and {@code gid} as the group.
     * @param onExamined   called when a node that was to be examined first has its attributes, or cannot get them.
     */
    FuseReplyWriter(
        final FuseChannel channel,
        final FuseRequests requests,
        final ParkedWrites parkedWrites,
        final int uid,
        final int gid,
        final Consumer<FuseNode> onExamined) {
        this.channel = channel;
        this.requests = requests;
        this.parkedWrites = parkedWrites;
        this.uid = uid;
        this.gid = gid;
        this.onExamined = onExamined;
        reply = channel.reply();
    }

    // ---- To requests for a file's backend

    @Override
    public void error(final long unique, final int errno) {
        channel.sendError(unique, errno);
    }

    @Override
    public void data(final long unique, final long address, final int length) {
        channel.sendData(unique, address, length);
    }

    @Override
    public boolean beginSplice(final long unique, final SplicePipe pipe, final int length) {
        return channel.beginSplice(unique, pipe, length);
    }

    @Override
    public void spliced(final long unique, final SplicePipe pipe) {
        channel.sendSpliced(unique, pipe);
    }

    @Override
    public void written(final long unique, final int length) {
        if (!channel.isClosed()) {
            FuseArguments.putWriteOut(reply, FuseChannel.RESULT_OFFSET, length);
            channel.sendResult(unique, FuseArguments.WRITE_OUT_LENGTH);
        }
    }

    @Override
    public void postponed(final FuseRequest request) {
        if (request.node().backend() == null) {
            request.replyError(Errno.EIO);
        } else {
            parkedWrites.park(request);
        }
    }

    @Override
    public void polled(final long unique, final int events) {
        if (!channel.isClosed()) {
            FuseArguments.putPollOut(reply, FuseChannel.RESULT_OFFSET, events);
            channel.sendResult(unique, FuseArguments.POLL_OUT_LENGTH);
        }
    }

    @Override
    public void attributes(final long unique, final FuseNode node) {
        if (!channel.isClosed()) {
            putAttributes(FuseAttributes.beginAttrOut(reply, FuseChannel.RESULT_OFFSET), node);
            channel.sendResult(unique, FuseAttributes.ATTR_OUT_LENGTH);
        }
    }

    @Override
    public void examined(final FuseNode node) {
        onExamined.accept(node);
    }

    @Override
    public void ended(final FuseRequest request) {
        final Memory data = request.data();
        if (data != null) {
            request.data(null);
            channel.recycle(data);
        }
        requests.release(request);
    }

    // ---- To requests that the server answers itself; the mount has not ended

    /** The attributes of the root directory. */
    void rootAttributes(final long unique) {
        final int offset = FuseAttributes.beginAttrOut(reply, FuseChannel.RESULT_OFFSET);
        FuseAttributes.put(reply, offset, FuseProtocol.ROOT_ID, Constants.S_IFDIR, root, uid, gid);
        channel.sendResult(unique, FuseAttributes.ATTR_OUT_LENGTH);
    }

    /** The node with the name that was looked up. Returns 0, or {@code -errno} if nobody waited for the answer. */
    int entry(final long unique, final FuseNode node) {
        // Mappings and asynchronous I/O rely on this size until somebody calls fstat.
        putAttributes(FuseAttributes.beginEntryOut(reply, FuseChannel.RESULT_OFFSET, node.id()), node);
        return channel.sendResult(unique, FuseAttributes.ENTRY_OUT_LENGTH);
    }

    /** A file or directory is open. Returns 0, or {@code -errno} if nobody waited for the answer. */
    int opened(final long unique, final long nodeId, final int fopenFlags) {
        FuseArguments.putOpenOut(reply, FuseChannel.RESULT_OFFSET, nodeId, fopenFlags);
        return channel.sendResult(unique, FuseArguments.OPEN_OUT_LENGTH);
    }

    /** How much room the file system has. */
    void statistics(final long unique) {
        FuseArguments.putStatfsOut(reply, FuseChannel.RESULT_OFFSET);
        channel.sendResult(unique, FuseArguments.STATFS_OUT_LENGTH);
    }

    /** What was agreed on in answer to the INIT whose arguments are in {@code request}; or an error. */
    void agreed(final long unique, final UnsafeBuffer request, final int arguments) {
        final int errno = FuseHandshake.answer(request, FuseChannel.ARGUMENTS_OFFSET, arguments, reply);
        if (errno != 0) {
            LOGGER.log(Level.ERROR, "files that are passed cannot be opened on the mount: this kernel''s FUSE protocol "
                + "is {0}.{1}, and {2}.{3} is needed (Linux 5.16)",
                FuseInit.major(request, FuseChannel.ARGUMENTS_OFFSET),
                FuseInit.minor(request, FuseChannel.ARGUMENTS_OFFSET),
                FuseProtocol.MAJOR_VERSION, FuseProtocol.MIN_MINOR_VERSION);
            error(unique, errno);
        } else {
            channel.sendResult(unique, FuseInit.OUT_LENGTH);
        }
    }

    private void putAttributes(final int offset, final FuseNode node) {
        FuseAttributes.put(reply, offset, node.id(), Constants.S_IFREG, node.attributes(), uid, gid);
    }
}
