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

/**
 * One request of the kernel's that waits for a {@link FileBackend}'s answer.
 *
 * <p>Pooled: the object is the backend's from the call that hands it over until one of the {@code reply} methods
 * returns, and must not be touched afterwards. Loop's thread only. No answer fails: when nobody waits any more (an
 * interrupt, the end of the mount) it is dropped.
 */
public final class FuseRequest {
    /** What an answer may consist of. */
    enum Kind {
        /** Bytes. */
        READ,
        /** How many bytes were written. */
        WRITE,
        /** Attributes, for an fstat. */
        GETATTR,
        /** Attributes, before the file is opened; the kernel does not know of this one. */
        FIRST_GETATTR,
        /** That it was done. */
        TRUNCATE,
        /** That it was done. */
        FSYNC,
        /** What is ready. */
        POLL
    }

    /** Who still waits for what. */
    enum State {
        /** In the pool. */
        FREE,
        /** The kernel waits for the backend. */
        WAITING,
        /** The kernel has its answer already; the backend's is to be dropped. */
        ABANDONED
    }

    /** Of who asks for attributes without setting any. */
    static final int ANY_PERMISSIONS = -1;

    /** Position among the requests in use; the pool's. */
    int poolIndex;

    private final FuseReplies replies;
    private State state = State.FREE;
    private Kind kind;
    private long unique;
    private FuseNode node;
    private long offset;
    private int length;
    private int statusFlags;
    private int permissions;
    private long tag;
    private boolean divisible;
    private int taskId;
    private Memory parkedData;

    FuseRequest(final FuseReplies replies) {
        this.replies = replies;
    }

    /** Where to read or write, in bytes; for a truncation, the new size. */
    public long offset() {
        return offset;
    }

    /** How much is to be read or written, in bytes. */
    public int length() {
        return length;
    }

    /** Of a read or a write: the file status flags, as F_GETFL shows them, of the descriptor it is done with. */
    public int statusFlags() {
        return statusFlags;
    }

    /**
     * Whether it is a write by somebody who has asked for O_APPEND where the file was not opened with it: it belongs
     * where the file ends, and the offset is the kernel's guess of that.
     */
    public boolean isAppending() {
        return kind == Kind.WRITE && divisible && (statusFlags & Constants.O_APPEND) != 0 && !node.isAppending();
    }

    /** Whether it is a write that is not over before it is durable: O_DSYNC, or O_SYNC, set by whoever received it. */
    public boolean isSynchronous() {
        return kind == Kind.WRITE && divisible && (statusFlags & Constants.O_DSYNC) != 0;
    }

    /** Of such: whether all that fsync(2) does is wanted. */
    public boolean isFullySynchronous() {
        return isSynchronous() && (statusFlags & Constants.O_SYNC) == Constants.O_SYNC;
    }

    /** A number of the backend's own: say, that of the message which it sent for this request. 0 at first. */
    public long tag() {
        return tag;
    }

    /** Sets {@link #tag()}. */
    public void tag(final long newTag) {
        tag = newTag;
    }

    /** Whether the kernel has been answered already, so that the backend's answer will be dropped. */
    public boolean isAbandoned() {
        return state == State.ABANDONED;
    }

    /** It failed with {@code errno}, positive. ENOSYS becomes EIO: the kernel would take it for the whole mount. */
    public void replyError(final int errno) {
        if (state == State.WAITING) {
            sendError(errno <= 0 || errno == Errno.ENOSYS ? Errno.EIO : errno);
        }
        end();
    }

    /**
     * Answers a read with {@code length} bytes at {@code address}, which are gathered from there before this returns.
     * More than were asked for are an error of whoever sent them: EIO.
     */
    public void replyData(final long address, final int dataLength) {
        require(Kind.READ);
        if (state == State.WAITING) {
            if (dataLength < 0 || dataLength > length) {
                sendError(Errno.EIO);
            } else {
                replies.data(unique, address, dataLength);
            }
        }
        end();
    }

    /**
     * Has {@link #replySpliced} expect {@code dataLength} bytes in {@code pipe}, which gets what is to be in front of
     * them.
     *
     * @return false if they cannot come that way.
     */
    public boolean beginSplice(final SplicePipe pipe, final int dataLength) {
        require(Kind.READ);
        return state == State.WAITING && dataLength <= length && replies.beginSplice(unique, pipe, dataLength);
    }

    /** Answers a read with what has come in {@code pipe} since {@link #beginSplice}: all of the bytes. */
    public void replySpliced(final SplicePipe pipe) {
        require(Kind.READ);
        if (state == State.WAITING) {
            replies.spliced(unique, pipe);
        }
        pipe.discard();
        end();
    }

    /**
     * Answers a write of which {@code written} bytes were done. More than were offered: EIO. Fewer of a mapping's
     * pages, whose rest the kernel would take for written: EIO.
     */
    public void replyWritten(final int written) {
        require(Kind.WRITE);
        if (state == State.WAITING) {
            if (written < 0 || written > length || (written < length && !divisible)) {
                sendError(Errno.EIO);
            } else {
                replies.written(unique, written);
            }
        }
        end();
    }

    /**
     * Answers {@link FileBackend#getattr}. A size of less than nothing: EIO.
     *
     * @param attributes read before this returns. Of the mode, the type is not heeded: this is a regular file.
     */
    public void replyAttributes(final FileAttributes attributes) {
        if (kind != Kind.FIRST_GETATTR) {
            require(Kind.GETATTR);
        }
        if (state == State.WAITING) {
            if (attributes.size() < 0) {
                sendError(Errno.EIO);
            } else {
                node.onExamined(attributes);
                if (kind == Kind.FIRST_GETATTR) {
                    replies.examined(node);
                } else if (permissions != ANY_PERMISSIONS
                    && permissions != FuseAttributes.permissions(node.attributes().mode())) {
                    replies.error(unique, Errno.EPERM);
                } else {
                    replies.attributes(unique, node);
                }
            }
        }
        end();
    }

    /** Answers {@link FileBackend#poll} with events of poll(2). */
    public void replyPoll(final int events) {
        require(Kind.POLL);
        if (state == State.WAITING) {
            replies.polled(unique, events);
        }
        end();
    }

    /** Answers {@link FileBackend#truncate} or {@link FileBackend#fsync}: it was done. */
    public void replySuccess() {
        if (kind != Kind.TRUNCATE) {
            require(Kind.FSYNC);
        }
        if (state == State.WAITING) {
            if (kind == Kind.TRUNCATE) {
                node.onTruncated(offset);
                replies.attributes(unique, node);
            } else {
                replies.error(unique, 0);
            }
        }
        end();
    }

    @Override
    public String toString() {
        return "FuseRequest(" + kind + ", " + state + ", unique=" + unique + ", offset=" + offset + ", length=" + length
            + ")";
    }

    FuseRequest statusFlags(final int flags) {
        statusFlags = flags;
        return this;
    }

    /** Of who asks for attributes to set those permissions: it is an error if they are not set already. */
    FuseRequest permissions(final int newPermissions) {
        permissions = newPermissions;
        return this;
    }

    FuseRequest begin(
        final Kind newKind, final long newUnique, final FuseNode newNode, final long newOffset, final int newLength) {
        kind = newKind;
        unique = newUnique;
        node = newNode;
        offset = newOffset;
        length = newLength;
        statusFlags = 0;
        permissions = ANY_PERMISSIONS;
        divisible = false;
        taskId = 0;
        tag = 0;
        state = State.WAITING;
        return this;
    }

    /** Answers in the backend's place; its own answer is still to come, and will be dropped. */
    void abandon(final int errno) {
        if (state == State.WAITING) {
            state = State.ABANDONED;
            if (kind != Kind.FIRST_GETATTR) {
                replies.error(unique, errno);
            }
        }
    }

    /** Whether it is the kernel's request {@code number}, and unanswered. */
    boolean isWaiting(final long number) {
        return unique == number && state == State.WAITING && kind != Kind.FIRST_GETATTR;
    }

    /** Whether a write of less than all is an answer that somebody goes on from. */
    boolean isDivisible() {
        return divisible;
    }

    void divisible(final boolean isDivisible) {
        divisible = isDivisible;
    }

    /** The thread that waits; 0 when it is not known. */
    int taskId() {
        return taskId;
    }

    FuseRequest taskId(final int newTaskId) {
        taskId = newTaskId;
        return this;
    }

    /** From now on it is no more than the first {@code newLength} bytes that are to be written. */
    void cut(final int newLength) {
        length = newLength;
    }

    /** The buffer with a write that the backend had no room for, or null. */
    Memory parkedData() {
        return parkedData;
    }

    void parkedData(final Memory data) {
        parkedData = data;
    }

    /**
     * Whether EINTR may not be answered before the backend says so, whatever the signal: it would hide an effect, or,
     * of a poll, be shown as an error of the file's.
     */
    boolean outlivesSignals() {
        return kind == Kind.WRITE || kind == Kind.TRUNCATE || kind == Kind.POLL
            || (kind == Kind.READ && node.isStream());
    }

    FuseNode node() {
        return node;
    }

    private void sendError(final int errno) {
        if (kind == Kind.FIRST_GETATTR) {
            // The file may well be read although its size cannot be told.
            replies.examined(node);
        } else {
            replies.error(unique, errno);
        }
    }

    private void require(final Kind expected) {
        if (kind != expected || state == State.FREE) {
            throw new IllegalStateException("an answer to " + expected + " for " + this);
        }
    }

    private void end() {
        if (state == State.FREE) {
            throw new IllegalStateException("answered twice: " + this);
        }
        state = State.FREE;
        node = null;
        replies.ended(this);
    }
}
