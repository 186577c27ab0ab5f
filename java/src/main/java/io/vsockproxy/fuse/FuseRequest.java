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
 * One request of the kernel that waits for a {@link FileBackend}'s answer.
 *
 * <p>Pooled: the object belongs to the backend from the call that passes it until one of the {@code reply} methods is
 * called, and must not be used afterwards. Answers never fail: when nobody waits any more (after an interrupt or the
 * end of the mount) they are dropped. Confined to the loop's thread.
 */
public final class FuseRequest {
    /** The kind of request, which determines the kind of answer. */
    enum Kind {
        /** Answered with bytes. */
        READ,
        /** Answered with the number of bytes written. */
        WRITE,
        /** Answered with attributes, for an fstat. */
        GETATTR,
        /** Answered with attributes, before the file is opened. The kernel does not know of this request. */
        FIRST_GETATTR,
        /** That it was done. */
        TRUNCATE,
        /** That it was done. */
        FSYNC,
        /** Answered with events. */
        POLL
    }

    /** Who still waits for an answer. */
    enum State {
        /** In the pool. */
        FREE,
        /** The kernel waits for the backend. */
        WAITING,
        /** The kernel has been answered already; the backend's answer will be dropped. */
        ABANDONED
    }

    /** For a request for attributes that does not set permissions. */
    static final int ANY_PERMISSIONS = -1;

    /** Index among the requests in use. For the pool only. */
    int poolIndex;

    private final FuseReplies replies;
    private State state = State.FREE;
    private Kind kind;
    private long unique;
    private FuseNode node;
    private long offset;
    private int length;
    private int alreadyWritten;
    private int statusFlags;
    private int permissions;
    private long tag;
    private boolean divisible;
    private int taskId;
    private Memory data;
    private boolean parked;

    FuseRequest(final FuseReplies replies) {
        this.replies = replies;
    }

    /** Where to read or write, in bytes; for a truncation the new size. */
    public long offset() {
        return offset;
    }

    /** How many bytes are to be read, or are still to be written. */
    public int length() {
        return length;
    }

    /** For a read or write: the file status flags of the descriptor used, as F_GETFL shows them. */
    public int statusFlags() {
        return statusFlags;
    }

    /**
     * Whether it is a write through a descriptor on which O_APPEND was set after the file was opened. The bytes must be
     * appended: the offset is only the kernel's guess of where the file ends.
     */
    public boolean isAppending() {
        return kind == Kind.WRITE && divisible && (statusFlags & Constants.O_APPEND) != 0 && !node.isAppending();
    }

    /**
     * Whether it is a write that must be durable before it is answered, because the receiver has set O_DSYNC or O_SYNC.
     */
    public boolean isSynchronous() {
        return kind == Kind.WRITE && divisible && (statusFlags & Constants.O_DSYNC) != 0;
    }

    /** For a synchronous write: whether the effect of fsync(2) is wanted, rather than of fdatasync(2). */
    public boolean isFullySynchronous() {
        return isSynchronous() && (statusFlags & Constants.O_SYNC) == Constants.O_SYNC;
    }

    /**
     * Whether it writes back pages of a mapping. An error, and also a short count, makes the kernel forget what was
     * stored there, and is reported to whoever synchronises the mapping, or to nobody. An owner that is only short of
     * room is therefore asked again, see {@link #postpone}.
     */
    public boolean isWriteBack() {
        return kind == Kind.WRITE && !divisible;
    }

    /** A number for the backend's own use, such as that of the message it has sent for this request. Initially 0. */
    public long tag() {
        return tag;
    }

    /** Sets {@link #tag()}. */
    public void tag(final long newTag) {
        tag = newTag;
    }

    /** Whether the kernel has been answered already. The backend must still answer, but its answer will be dropped. */
    public boolean isAbandoned() {
        return state == State.ABANDONED;
    }

    /**
     * Answers that the request has failed with {@code errno}, positive. ENOSYS becomes EIO, because the kernel would
     * apply it to the whole mount.
     */
    public void replyError(final int errno) {
        if (state == State.WAITING) {
            sendError(errno <= 0 || errno == Errno.ENOSYS ? Errno.EIO : errno);
        }
        end();
    }

    /**
     * Answers a read with {@code dataLength} bytes at {@code address}, which are sent before this returns. If they are
     * more than were asked for, the answer is EIO.
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
     * Prepares {@link #replySpliced}: writes to {@code pipe} what must precede the {@code dataLength} bytes that will
     * follow there.
     *
     * @return false if the answer cannot be sent this way.
     */
    public boolean beginSplice(final SplicePipe pipe, final int dataLength) {
        require(Kind.READ);
        return state == State.WAITING && dataLength <= length && replies.beginSplice(unique, pipe, dataLength);
    }

    /**
     * Answers a read with the contents of {@code pipe}, which since {@link #beginSplice} has received all of the bytes.
     */
    public void replySpliced(final SplicePipe pipe) {
        require(Kind.READ);
        if (state == State.WAITING) {
            replies.spliced(unique, pipe);
        }
        pipe.discard();
        end();
    }

    /**
     * Answers a write of which {@code written} bytes have been written. If that is more than were offered, the answer
     * is EIO; also if it is fewer and they come from a mapping, because the kernel would take the rest for written.
     */
    public void replyWritten(final int written) {
        require(Kind.WRITE);
        if (state == State.WAITING) {
            if (written < 0 || written > length || (written < length && !divisible)) {
                sendError(Errno.EIO);
            } else {
                replies.written(unique, alreadyWritten + written);
            }
        }
        end();
    }

    /**
     * Answers {@link FileBackend#getattr}. If the size is negative, the answer is EIO.
     *
     * @param attributes the attributes, borrowed for this call only. The type in the mode is ignored: this is a regular
     *                   file.
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

    /**
     * In place of an answer to a {@linkplain #isWriteBack write-back} of which only the first {@code written} bytes
     * have been written: the mount keeps the others, and offers them to the backend once more after the next {@link
     * FuseMount#resume}. Not to be called from inside {@link FileBackend#write}, which returns false instead.
     */
    public void postpone(final int written) {
        require(Kind.WRITE);
        if (divisible || written < 0 || written >= length) {
            throw new IllegalArgumentException("written=" + written + " of " + this);
        }
        if (state == State.WAITING) {
            offset += written;
            length -= written;
            alreadyWritten += written;
            replies.postponed(this);
        } else {
            end();
        }
    }

    /** Answers {@link FileBackend#poll} with events of poll(2). */
    public void replyPoll(final int events) {
        require(Kind.POLL);
        if (state == State.WAITING) {
            replies.polled(unique, events);
        }
        end();
    }

    /** Answers {@link FileBackend#truncate} or {@link FileBackend#fsync}, which has been done. */
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

    /**
     * For a request for attributes that comes from a chmod: it fails with EPERM unless the file has these permissions
     * already.
     */
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
        alreadyWritten = 0;
        divisible = false;
        taskId = 0;
        tag = 0;
        state = State.WAITING;
        return this;
    }

    /** Answers in place of the backend, whose own answer is still to come and will be dropped. */
    void abandon(final int errno) {
        if (state == State.WAITING) {
            state = State.ABANDONED;
            if (kind != Kind.FIRST_GETATTR) {
                replies.error(unique, errno);
            }
        }
    }

    /** Whether it is the kernel's request {@code number}, and not answered yet. */
    boolean isWaiting(final long number) {
        return unique == number && state == State.WAITING && kind != Kind.FIRST_GETATTR;
    }

    /** Sets whether a short write is a valid answer, after which the caller writes the rest. */
    void divisible(final boolean isDivisible) {
        divisible = isDivisible;
    }

    /** The id of the thread that waits; 0 when unknown. */
    int taskId() {
        return taskId;
    }

    FuseRequest taskId(final int newTaskId) {
        taskId = newTaskId;
        return this;
    }

    /** Reduces a write to its first {@code newLength} bytes. */
    void cut(final int newLength) {
        length = newLength;
    }

    /**
     * The buffer that is kept for it, or null: with a write that the backend had no room for, or with a write-back
     * until it has been answered. {@link FuseReplies#ended} takes it back.
     */
    Memory data() {
        return data;
    }

    void data(final Memory newData) {
        data = newData;
    }

    /** Where in the buffer the bytes begin that are still to be written. */
    int dataIndex() {
        return FuseChannel.DATA_OFFSET + alreadyWritten;
    }

    /** Whether it is a write that waits among the {@link ParkedWrites}. */
    boolean isParked() {
        return parked;
    }

    void parked(final boolean isNowParked) {
        parked = isNowParked;
    }

    /**
     * Whether it must not be answered with EINTR before the backend has answered, whatever the signal, because that
     * would hide an effect or, for a poll, be shown as an error of the file.
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
            // The file may be readable although its size is unknown.
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
