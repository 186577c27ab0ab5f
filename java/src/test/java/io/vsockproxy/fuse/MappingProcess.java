/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.Paths;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;

/**
 * An application in a process of its own that maps files as commanded on its standard input; each line is a command,
 * answered with one number. It accesses mappings through a pipe, so that a missing page gives EFAULT instead of a
 * deadly signal.
 */
public final class MappingProcess {
    private static final int PAGE = 4096;

    private final Memory scratch = Memory.allocate(2 * PAGE);
    private final int readEnd;
    private final int writeEnd;

    private MappingProcess() {
        PosixException.check(
            Syscalls.pipe2(scratch.address(), Constants.O_CLOEXEC | Constants.O_NONBLOCK), "pipe2");
        readEnd = scratch.buffer().getInt(0);
        writeEnd = scratch.buffer().getInt(Integer.BYTES);
    }

    /** See the class. */
    public static void main(final String[] args) throws IOException {
        final MappingProcess process = new MappingProcess();
        final BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        String line;
        while ((line = in.readLine()) != null) {
            System.out.println(process.perform(line.split(" ", -1)));
        }
    }

    private long perform(final String[] words) {
        return switch (words[0]) {
            case "open" -> Paths.open(words[1], Integer.parseInt(words[2]) | Constants.O_CLOEXEC);
            case "close" -> Syscalls.close(Integer.parseInt(words[1]));
            case "size" -> size(Integer.parseInt(words[1]));
            case "sync" -> Syscalls.fsync(Integer.parseInt(words[1]));
            case "map" -> Syscalls.mmap(
                0, number(words[2]), Integer.parseInt(words[3]), Integer.parseInt(words[4]),
                Integer.parseInt(words[1]), 0);
            case "unmap" -> Syscalls.munmap(number(words[1]), number(words[2]));
            case "load" -> load(number(words[1]), Integer.parseInt(words[2]));
            case "store" -> store(number(words[1]), Integer.parseInt(words[2]), Byte.parseByte(words[3]));
            case "fill" -> fill(number(words[1]), Integer.parseInt(words[2]), Byte.parseByte(words[3]));
            default -> throw new IllegalArgumentException(words[0]);
        };
    }

    private long size(final int fd) {
        final int result = Syscalls.statx(fd, 0, Constants.STATX_BASIC_STATS, scratch.address());
        return result < 0 ? result : scratch.buffer().getLong(Constants.STATX_SIZE_OFFSET);
    }

    /** The CRC-32 of what is mapped there. */
    private long load(final long address, final int length) {
        final CRC32 crc = new CRC32();
        final byte[] page = new byte[PAGE];
        for (int i = 0; i < length; i += PAGE) {
            final int count = Math.min(PAGE, length - i);
            final long copied = copy(address + i, count, scratch.address());
            if (copied < 0) {
                return copied;
            }
            scratch.buffer().getBytes(0, page);
            crc.update(page, 0, (int) copied);
        }
        return crc.getValue();
    }

    private long store(final long address, final int length, final byte value) {
        scratch.buffer().setMemory(0, length, value);
        return copy(scratch.address(), length, address);
    }

    /** Stores more than a page. */
    private long fill(final long address, final int length, final byte value) {
        for (int i = 0; i < length; i += PAGE) {
            final long stored = store(address + i, Math.min(PAGE, length - i), value);
            if (stored < 0) {
                return stored;
            }
        }
        return length;
    }

    private long copy(final long from, final int length, final long to) {
        final long written = Syscalls.write(writeEnd, from, length);
        return written < 0 ? written : Syscalls.read(readEnd, to, written);
    }

    private static long number(final String word) {
        return Long.parseLong(word);
    }
}
