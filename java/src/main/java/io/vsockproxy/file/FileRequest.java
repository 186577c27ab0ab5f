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
 * A request for a file that is not over yet: one that could not be answered at once, or whose answer still lies in the
 * file or in a worker's buffer while the link takes it. Pooled.
 *
 * <p>Handed to a worker and back through {@link FileWorkers}, which orders all accesses; never touched by both at once.
 */
final class FileRequest extends FileTask implements FileBytes, FileRelay.Completion {
    /** What is asked. */
    enum Operation { READ, WRITE, EXAMINE, TRUNCATE, SYNC }

    /** How far it is. */
    enum State {
        /** In the pool. */
        FREE,
        /** Not begun: an earlier request has to be done first, or there is no room for the answer. */
        WAITING,
        /** It takes a worker; there was none, or no buffer. */
        COLD,
        WITH_WORKER,
        /** What it asks for has been done; the answer waits for room. */
        DONE,
        /** The answer is on its way and lies in {@link #window} or {@link #data}. */
        RIDING
    }

    /** Bytes that {@link #scratch} needs: for an iovec or a struct statx, one at a time. */
    static final int SCRATCH_LENGTH = Math.max(Constants.SIZEOF_STATX, IoVec.LENGTH);

    private final FileServer server;
    private final UnsafeBuffer scratch;

    FileRequest previous;
    FileRequest next;
    LocalFile file;
    Operation operation;
    State state;
    long cookie;
    long offset;
    /** Bytes to be read or written; of a truncation, the new length; of a SYNC, 1 if it is about data only. */
    long length;
    /** Of a write: whether it belongs where the file ends then, whatever the offset. */
    boolean appending;
    /** What has been written before a worker took over. */
    long alreadyWritten;
    /** The bytes read, or to be written. */
    Memory data;
    /** Where the answer of a mapped read lies, pinned. */
    FileWindow window;
    /** What an examination has found. */
    final FileAttributes attributes = new FileAttributes();
    /** A count, 0, or {@code -errno}. */
    long result;
    /** Whether the worker is to find out what kind of file it is as well. */
    boolean learns;
    /** Whether the worker is to {@linkplain LocalFile#reopen reopen} the file before. */
    boolean reopens;
    private FileSystemKind learnedKind;
    private boolean learnedTruthful;

    FileRequest(final FileServer server, final UnsafeBuffer scratch) {
        this.server = server;
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
        result = 0;
        learns = false;
        reopens = false;
        learnedKind = FileSystemKind.UNKNOWN;
    }

    /** Of a SYNC: whether it is as by fdatasync(2). */
    boolean isDataOnly() {
        return length != 0;
    }

    /** Whether it changes the file. */
    boolean isChange() {
        return operation == Operation.WRITE || operation == Operation.TRUNCATE;
    }

    /**
     * Whether {@code earlier} has to be done before this. Reads and writes where they overlap, and where a write moves
     * the end of the file that a read will find: both reach behind {@code size}. Anything and a truncation, which may
     * both hide and show bytes anywhere behind the shorter length. The size and what changes it. Where a write that
     * appends, or one to a file that {@code appends}, will end up is not known before it is done. A SYNC is about what
     * was changed before it; nothing waits for it.
     *
     * @param size the file's, or any smaller number if that is not known.
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

    /** Whether a write that comes later would have to wait for this read, or whatever else it is. */
    boolean holdsUpWrite(final long writeOffset, final int writeLength, final long size) {
        if (state == State.DONE || operation != Operation.READ) {
            return state != State.DONE && operation != Operation.SYNC;
        }
        return (writeOffset < end() && offset - writeOffset < writeLength)
            || (writeOffset > size - writeLength && meetsEnd(size));
    }

    /** Whether it reaches behind the end of the file, which an answer that is on its way does no more. */
    private boolean meetsEnd(final long size) {
        return state != State.RIDING && end() > size;
    }

    @Override
    void perform() {
        reopens = reopens && file.reopen();
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
        server.onPerformed(this);
    }

    // ---- As what is asked of a relayed file's owner

    /** Asks it; 0 or {@code -errno}. */
    int askOf(final FileRelay relay) {
        return switch (operation) {
            case READ -> relay.read(offset, (int) length, this);
            case WRITE -> relay.write(appending ? FileRelay.END_OF_FILE : offset, (int) length, this);
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
        // An owner that says it did more than it was asked to is not to be believed.
        final boolean isCount = operation == Operation.READ || operation == Operation.WRITE;
        result = isCount && done > length ? -Errno.EIO : done;
        server.onPerformed(this);
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
        server.onReleased(this);
    }

    /** The size of a file that can be mapped, as far as this kernel knows; or {@code -errno}. Does not block. */
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
