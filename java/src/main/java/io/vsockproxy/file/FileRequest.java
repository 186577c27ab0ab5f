/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.FileAttributes;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.Syscalls;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * A request for a file that is not finished: it could not be answered at once, or its answer still lies in the mapped
 * file or in a worker's buffer until the link has sent it. Pooled.
 *
 * <p>Passed to a worker and back through {@link FileWorkers}, which orders all accesses; the loop and the worker never
 * use it at the same time.
 */
final class FileRequest extends FileTask implements FileBytes, FileRelay.Completion {
    /** What is requested. */
    enum Operation { READ, WRITE, EXAMINE, TRUNCATE, SYNC }

    /** How far the request has got. */
    enum State {
        /** It is in the pool. */
        FREE,
        /** It has not begun: an earlier request must be done first, or there is no room for the answer. */
        WAITING,
        /** It needs a worker, and there was none, or no buffer. */
        COLD,
        WITH_WORKER,
        /** It has been carried out; the answer may still wait for room. */
        DONE,
        /** The answer is being sent from where it lies, in {@link #window} or {@link #data}. */
        RIDING
    }

    /** The length of {@link #scratch}, in bytes: for an iovec or a struct statx, one at a time. */
    static final int SCRATCH_LENGTH = Math.max(Constants.SIZEOF_STATX, IoVec.LENGTH);

    private final PendingFileRequests owner;
    private final UnsafeBuffer scratch;

    FileRequest previous;
    FileRequest next;
    LocalFile file;
    Operation operation;
    State state;
    long cookie;
    long offset;
    /** How many bytes to read or write; for a truncation the new length; for a SYNC 1 if only data matters. */
    long length;
    /** For a write: whether it goes to the end of the file, whatever the offset. */
    boolean appending;
    /** For a relayed write to a synchronous file: whether it has been written, and is now made durable. */
    private boolean synchronising;
    /** How many bytes were written before a worker took over. */
    long alreadyWritten;
    /** The bytes read, or to be written. */
    Memory data;
    /** The pinned window in which the answer of a mapped read lies. */
    FileWindow window;
    /** The result of an examination. */
    final FileAttributes attributes = new FileAttributes();
    /** A count, 0, or {@code -errno}. */
    long result;
    /** Whether the worker must also find out the kind of file system. */
    boolean learns;
    /** Whether the worker must first {@linkplain LocalFile#reopen reopen} the file. */
    boolean reopens;
    private FileSystemKind learnedKind;
    private boolean learnedTruthful;

    FileRequest(final PendingFileRequests owner, final UnsafeBuffer scratch) {
        this.owner = owner;
        this.scratch = scratch;
    }

    void begin(
        final LocalFile ofFile, final Operation what, final long answerCookie, final long at, final long howLong) {
        file = ofFile;
        operation = what;
        cookie = answerCookie;
        offset = at;
        length = howLong;
        state = State.WAITING;
        alreadyWritten = 0;
        appending = false;
        synchronising = false;
        // Until it is known: also if what should find it out throws.
        result = -Errno.EIO;
        learns = false;
        reopens = false;
        learnedKind = FileSystemKind.UNKNOWN;
    }

    /** For a SYNC: whether fdatasync(2) suffices. */
    boolean isDataOnly() {
        return length != 0;
    }

    /** Whether it changes the file. */
    boolean isChange() {
        return operation == Operation.WRITE || operation == Operation.TRUNCATE;
    }

    /**
     * Whether {@code earlier} must be done before this request. Only if one of them changes the file, and then:
     * <ul>
     * <li>a read and a write, if they overlap, or both reach behind {@code size}: the write moves the end of the file
     *     that the read will find;</li>
     * <li>two writes, if they overlap;</li>
     * <li>always when one of them is a truncation, an examination or a SYNC;</li>
     * <li>always when one of them is a write that appends, or the file {@code appends}: where that write will end up is
     *     not known before it is done.</li>
     * </ul>
     *
     * <p>Nothing waits for a SYNC.
     *
     * @param size the file's size, or any smaller number if that is not known.
     */
    boolean mustFollow(final FileRequest earlier, final boolean appends, final long size) {
        if (earlier.state == State.DONE || earlier.operation == Operation.SYNC
            || !(earlier.isChange() || isChange())) {
            return false;
        }
        if (appends || !hasRange() || !earlier.hasRange()) {
            return true;
        }
        return (earlier.offset < end() && offset < earlier.end())
            || (operation != earlier.operation && meetsEnd(size) && earlier.meetsEnd(size));
    }

    /** Whether a later write would have to wait for this request. */
    boolean holdsUpWrite(final long writeOffset, final int writeLength, final long size) {
        if (state == State.DONE || operation != Operation.READ) {
            return state != State.DONE && operation != Operation.SYNC;
        }
        return (writeOffset < end() && offset - writeOffset < writeLength)
            || (writeOffset > size - writeLength && meetsEnd(size));
    }

    /** Whether it reaches behind the end of the file. An answer that is being sent no longer does. */
    private boolean meetsEnd(final long size) {
        return state != State.RIDING && end() > size;
    }

    @Override
    void perform() {
        final boolean mustReopen = reopens;
        // Until it has succeeded.
        reopens = false;
        reopens = mustReopen && file.reopen();
        if (learns) {
            learnedKind = FileSystemKind.of(file.fd());
            learnedTruthful = learnedKind.isMappable() && FileSystemKind.isResidencyTruthful(file.fd(), scratch);
        }
        result = switch (operation) {
            case READ -> readFully();
            case WRITE -> writeFully();
            case EXAMINE -> examine();
            case SYNC -> sync();
            case TRUNCATE -> Syscalls.ftruncate(file.fd(), length);
        };
    }

    @Override
    void completed() {
        if (learnedKind != FileSystemKind.UNKNOWN) {
            file.learned(learnedKind, learnedTruthful);
        }
        if (reopens) {
            file.reopened();
        }
        owner.onPerformed(this);
    }

    // ---- As what is asked of a relayed file's owner

    /** Sends this request to the owner; returns 0 or {@code -errno}. */
    int askOf(final FileRelay relay) {
        return switch (operation) {
            case READ -> relay.read(offset, (int) length, this);
            case WRITE -> relay.write(relayedOffset(relay), (int) length, this);
            case EXAMINE -> relay.examine(this);
            case SYNC -> relay.sync(isDataOnly(), this);
            case TRUNCATE -> relay.truncate(length, this);
        };
    }

    @Override
    public Memory data() {
        return data;
    }

    @Override
    public FileAttributes attributes() {
        return attributes;
    }

    @Override
    public void onDone(final long done) {
        // An owner that claims to have done more than was asked is not believed.
        final boolean isCount = operation == Operation.READ || operation == Operation.WRITE;
        final long believed = isCount && done > length ? -Errno.EIO : done;
        if (operation == Operation.WRITE && file.isSynchronous() && believed > 0 && !synchronising) {
            result = believed;
            synchronising = true;
            final int error = file.relay().sync(!file.isFullySynchronous(), this);
            if (error == 0) {
                return;
            }
            result = error;
        } else if (!synchronising || believed < 0) {
            result = believed;
        }
        owner.onPerformed(this);
    }

    /**
     * Where a relayed write goes. The owner's descriptor does not know whether this one, a stand-in for it, has
     * O_APPEND, and the offset is then only a guess of where the file ends.
     */
    private long relayedOffset(final FileRelay relay) {
        return appending || (file.appends() && relay.appends()) ? FileRelay.END_OF_FILE : offset;
    }

    // ---- As the answer's bytes

    @Override
    public long address() {
        return window != null ? window.address + (offset - window.offset) : data.address();
    }

    @Override
    public int length() {
        return (int) result;
    }

    @Override
    public int readableLength() {
        if (window == null) {
            return (int) result;
        }
        final long size = size(file.fd(), scratch);
        return (int) (Errno.isError(size) ? size : Math.max(0, Math.min(result, size - offset)));
    }

    @Override
    public void release() {
        owner.onReleased(this);
    }

    /** The size of a file, as far as this kernel knows without asking a server; or {@code -errno}. Does not block. */
    static long size(final int fd, final UnsafeBuffer scratch) {
        final int error = Syscalls.statx(
            fd, Constants.AT_STATX_DONT_SYNC, Constants.STATX_BASIC_STATS, scratch.addressOffset());
        return Errno.isError(error) ? error : scratch.getLong(Constants.STATX_SIZE_OFFSET);
    }

    private boolean hasRange() {
        return operation == Operation.READ || (operation == Operation.WRITE && !appending);
    }

    private long end() {
        return length > Long.MAX_VALUE - offset ? Long.MAX_VALUE : offset + length;
    }

    private long readFully() {
        long done = 0;
        while (done < length) {
            final long count = Syscalls.preadv2(file.fd(), piece(done), 1, offset + done, 0);
            if (count <= 0) {
                return done > 0 ? done : count;
            }
            done += count;
        }
        return done;
    }

    private long writeFully() {
        long done = 0;
        do {
            final long count =
                Syscalls.pwritev2(file.fd(), piece(done), 1, offset + done, appending ? Constants.RWF_APPEND : 0);
            if (count <= 0) {
                return done + alreadyWritten > 0 ? done + alreadyWritten : count;
            }
            done += count;
        } while (done < length);
        return done + alreadyWritten;
    }

    private long piece(final long done) {
        IoVec.set(scratch, 0, data == null ? 0 : data.address() + done, length - done);
        return scratch.addressOffset();
    }

    private long sync() {
        final int error = isDataOnly() ? Syscalls.fdatasync(file.fd()) : Syscalls.fsync(file.fd());
        return Errno.isError(error) ? error : examine();
    }

    private long examine() {
        final int error = Syscalls.statx(file.fd(), 0, Constants.STATX_BASIC_STATS, scratch.addressOffset());
        if (!Errno.isError(error)) {
            attributes.readStatx(scratch);
        }
        return error;
    }
}
