/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 20, unit = TimeUnit.SECONDS)
class SyscallsTest {
    private static final int DATA = 0;
    private static final int TABLE = 4096;
    private static final int PAIR = 8192;
    private static final int FDS = 8448;
    private static final int CONTROL = 12288;
    private static final int MEMORY_LENGTH = 65536;
    private static final int NATIVES = 51;
    private static final int NO_DESCRIPTOR = -1;
    /** Below what the kernel lets anybody map. */
    private static final long UNMAPPED = 4096;
    private static final long BEYOND_4_GIB = 0x1_2345_6789L;

    private final Memory memory = Memory.allocate(MEMORY_LENGTH);
    private final UnsafeBuffer buffer = memory.buffer();
    private final ControlData control = new ControlData(memory, CONTROL);
    private int descriptorsBefore;

    @BeforeEach
    void countDescriptors() {
        // The JVM opens descriptors of its own at the first use of a class.
        assertEquals("EAGAIN", Errno.name(Errno.EAGAIN));
        descriptorsBefore = Descriptors.count();
    }

    @AfterEach
    void compareDescriptors() throws InterruptedException {
        memory.close();
        Descriptors.assertCount(descriptorsBefore);
    }

    @Test
    void shouldBindEveryNativeMethod() throws ReflectiveOperationException {
        int natives = 0;
        for (final Method method : Syscalls.class.getDeclaredMethods()) {
            if (Modifier.isNative(method.getModifiers())) {
                natives++;
                // Arguments that no call accepts: an unbound method throws UnsatisfiedLinkError.
                final Class<?>[] types = method.getParameterTypes();
                final Object[] arguments = new Object[types.length];
                for (int i = 0; i < types.length; i++) {
                    if (types[i] == int.class) {
                        arguments[i] = NO_DESCRIPTOR;
                    } else if (types[i] == long.class) {
                        arguments[i] = UNMAPPED;
                    }
                }
                method.invoke(null, arguments);
            }
        }
        assertEquals(NATIVES, natives);
    }

    @Test
    void shouldKnowEveryConstant() {
        assertEquals(1, Constants.AF_UNIX);
        assertEquals(-1, Constants.VMADDR_CID_ANY);
        assertEquals(Integer.MIN_VALUE, Constants.EPOLLET);
        assertEquals(256, Constants.SIZEOF_STATX);
        assertEquals(11, Errno.EAGAIN);
        assertEquals(Long.MIN_VALUE, Syscalls.constant("EVSOCKPROXY"));
        assertEquals(Long.MIN_VALUE, Syscalls.constant("\u00e9\u4e16\ud83d\ude00".repeat(100)));
        assertThrows(UnsatisfiedLinkError.class, () -> Constants.of("EVSOCKPROXY"));
    }

    @Test
    void shouldPassDescriptorsInOrderWithTheirBytes() {
        openPair(Constants.SOCK_STREAM);
        for (int i = 0; i < ControlData.MAX_DESCRIPTORS; i++) {
            buffer.putInt(
                FDS + i * Integer.BYTES,
                PosixException.check(Syscalls.eventfd(i + 1, Constants.EFD_CLOEXEC), "eventfd"));
        }
        assertEquals(3, sendWithDescriptors("abc", ControlData.MAX_DESCRIPTORS));
        for (int i = 0; i < ControlData.MAX_DESCRIPTORS; i++) {
            assertEquals(0, Syscalls.close(buffer.getInt(FDS + i * Integer.BYTES)));
        }

        assertEquals(3, receive());
        assertFalse(control.isTruncated());
        assertEquals(ControlData.MAX_DESCRIPTORS, control.count());
        for (int i = 0; i < control.count(); i++) {
            final int fd = control.descriptor(i);
            assertEquals(1, Syscalls.fcntl(fd, Constants.F_GETFD, 0), "close-on-exec");
            assertEquals(Long.BYTES, Syscalls.read(fd, memory.address(TABLE, Long.BYTES), Long.BYTES));
            assertEquals(i + 1, buffer.getLong(TABLE));
        }
        control.closeAll();
        assertEquals(0, control.count());
        closePair();
    }

    @Test
    void shouldRefuseMoreDescriptorsThanAMessageMayCarry() {
        openPair(Constants.SOCK_STREAM);
        assertEquals(-Errno.EINVAL, sendWithDescriptors("x", ControlData.MAX_DESCRIPTORS + 1));
        assertEquals(-Errno.EINVAL, sendWithDescriptors("x", -1));
        closePair();
    }

    @Test
    void shouldWriteControlDataWhenNoDescriptorsCame() {
        openPair(Constants.SOCK_SEQPACKET);
        buffer.setMemory(CONTROL, ControlData.LENGTH, (byte)0x7f);
        assertEquals(4, sendWithDescriptors("four", 0));
        assertEquals(2, Syscalls.recvmsg(
            pairFd(1), memory.address(DATA, 2), 2, Constants.MSG_CMSG_CLOEXEC, control.address()));
        assertEquals(0, control.count());
        assertFalse(control.isTruncated());
        closePair();
    }

    @Test
    void shouldAnswerAgainRatherThanBlock() {
        openPair(Constants.SOCK_STREAM);
        assertEquals(-Errno.EAGAIN, receive());
        assertEquals(-Errno.EAGAIN, Syscalls.recv(pairFd(1), memory.address(DATA, 1), 1, Constants.MSG_DONTWAIT));
        closePair();
    }

    @Test
    void shouldTellAnEmptyPacketFromTheEnd() {
        openPair(Constants.SOCK_SEQPACKET);
        assertEquals(0, Syscalls.send(pairFd(0), memory.address(DATA, 0), 0, Constants.MSG_NOSIGNAL));
        assertEquals(2, sendWithDescriptors("ab", 0));
        assertEquals(0, receive());
        assertEquals(2, receive());
        assertEquals(-Errno.EAGAIN, receive());
        closePair();
    }

    @Test
    void shouldReportReadinessWithTheData() {
        final long data = 0x8123_4567_89ab_cdefL;
        final int epfd = PosixException.check(Syscalls.epollCreate1(Constants.EPOLL_CLOEXEC), "epoll");
        final int fd = PosixException.check(Syscalls.eventfd(0, Constants.EFD_CLOEXEC), "eventfd");
        assertEquals(0, Syscalls.epollCtl(epfd, Constants.EPOLL_CTL_ADD, fd, Constants.EPOLLIN, data));
        assertEquals(0, Syscalls.epollWait(epfd, memory.address(DATA, 64), 4, 0));
        buffer.putLong(TABLE, 1);
        assertEquals(Long.BYTES, Syscalls.write(fd, memory.address(TABLE, Long.BYTES), Long.BYTES));
        assertEquals(1, Syscalls.epollWait(epfd, memory.address(DATA, 64), 4, 1000));
        assertEquals(Constants.EPOLLIN, buffer.getInt(DATA + Constants.EPOLL_EVENT_EVENTS_OFFSET));
        assertEquals(data, buffer.getLong(DATA + Constants.EPOLL_EVENT_DATA_OFFSET));
        assertEquals(0, Syscalls.close(fd));
        assertEquals(0, Syscalls.close(epfd));
    }

    @Test
    void shouldReadAndWriteFilesBeyond4GiB(@TempDir final Path directory) {
        final Path path = directory.resolve("file");
        putPath(path);
        final int fd = PosixException.check(
            Syscalls.open(
                memory.address(DATA, 1), Constants.O_RDWR | Constants.O_CREAT | Constants.O_CLOEXEC, 0600), "open");
        buffer.putStringWithoutLengthAscii(PAIR, "abcdef");
        IoVec.set(table(), 0, memory.address(PAIR, 4), 4);
        IoVec.set(table(), 1, memory.address(PAIR + 4, 2), 2);
        assertEquals(6, Syscalls.pwritev2(fd, memory.address(TABLE, 32), 2, BEYOND_4_GIB, 0));
        buffer.setMemory(PAIR, 6, (byte)0);
        assertEquals(5, Syscalls.preadv2(fd, memory.address(TABLE, 32), 2, BEYOND_4_GIB + 1, 0));
        assertEquals("bcdef", buffer.getStringWithoutLengthAscii(PAIR, 5));

        assertEquals(0, Syscalls.statx(
            fd, 0, Constants.STATX_BASIC_STATS, memory.address(DATA, Constants.SIZEOF_STATX)));
        assertEquals(BEYOND_4_GIB + 6, buffer.getLong(DATA + Constants.STATX_SIZE_OFFSET));
        assertEquals(Constants.S_IFREG | 0600, buffer.getShort(DATA + Constants.STATX_MODE_OFFSET) & 0xffff);
        assertEquals(0, Syscalls.ftruncate(fd, 3));
        assertEquals(3, path.toFile().length());
        assertTrue(Syscalls.fstatfsType(fd) != 0);
        assertEquals(0, Syscalls.close(fd));
        putPath(path);
        assertEquals(0, Syscalls.unlink(memory.address(DATA, 1)));
        assertFalse(Files.exists(path));
    }

    @Test
    void shouldNotBlockOnAPipeOfWhichItLeavesTheFlagsAlone() {
        assertEquals(0, Syscalls.pipe2(memory.address(PAIR, 8), Constants.O_CLOEXEC));
        assertEquals(0, Syscalls.fcntl(pairFd(0), Constants.F_GETFL, 0) & Constants.O_NONBLOCK);
        IoVec.set(table(), 0, memory.address(DATA, 8), 8);
        final long result = Syscalls.preadv2(pairFd(0), memory.address(TABLE, 16), 1, -1, Constants.RWF_NOWAIT);
        // Pipes support it since Linux 6.4.
        assertTrue(result == -Errno.EAGAIN || result == -Errno.EOPNOTSUPP, "result=" + result);
        closePair();
    }

    @Test
    void shouldGiveMemoryBackAndFaultItIn() {
        final int protection = Constants.PROT_READ | Constants.PROT_WRITE;
        final long address = Syscalls.mmap(
            0, 8192, protection, Constants.MAP_PRIVATE | Constants.MAP_ANONYMOUS, -1, 0);
        assertFalse(Errno.isError(address));
        final UnsafeBuffer mapped = new UnsafeBuffer(address, 8192);
        mapped.putLong(0, 42);
        assertEquals(0, Syscalls.mincore(address, 4096, memory.address(DATA, 1)));
        assertEquals(1, buffer.getByte(DATA) & 1);
        assertEquals(0, Syscalls.madvise(address, 8192, Constants.MADV_DONTNEED));
        assertEquals(0, mapped.getLong(0));
        assertEquals(0, Syscalls.munmap(address, 8192));
        assertEquals(-Errno.ENOMEM, Syscalls.mincore(address, 4096, memory.address(DATA, 1)));
        assertEquals(-Errno.EBADF, Syscalls.mmap(0, 4096, Constants.PROT_READ, Constants.MAP_SHARED, -1, 0));
    }

    @Test
    void shouldReceiveIntoTheBufferGiven() {
        openPair(Constants.SOCK_STREAM);
        IoVec.set(table(), 0, memory.address(PAIR, 8), 0);
        buffer.putStringWithoutLengthAscii(DATA, "hello");
        assertEquals(5, Syscalls.send(pairFd(0), memory.address(DATA, 5), 5, Constants.MSG_NOSIGNAL));
        final long flags = memory.address(DATA + 112, Integer.BYTES);
        assertEquals(3, Syscalls.recvmsgNoControl(pairFd(1), memory.address(DATA + 100, 3), 3, 0, flags));
        assertEquals(0, buffer.getInt(DATA + 112));
        assertEquals(2, Syscalls.recv(pairFd(1), memory.address(DATA + 103, 9), 9, 0));
        final byte[] bytes = new byte[6];
        buffer.getBytes(DATA + 100, bytes);
        assertArrayEquals("hello\0".getBytes(StandardCharsets.US_ASCII), bytes);
        closePair();
    }

    private void openPair(final int type) {
        final int result = Syscalls.socketpair(
            Constants.AF_UNIX, type | Constants.SOCK_CLOEXEC, 0, memory.address(PAIR, 8));
        PosixException.check(result, "socketpair");
    }

    private int pairFd(final int index) {
        return buffer.getInt(PAIR + index * Integer.BYTES);
    }

    private void closePair() {
        assertEquals(0, Syscalls.close(pairFd(0)));
        assertEquals(0, Syscalls.close(pairFd(1)));
    }

    private UnsafeBuffer table() {
        return new UnsafeBuffer(memory.address(TABLE, 1024), 1024);
    }

    private int sendWithDescriptors(final String text, final int count) {
        final int length = buffer.putStringWithoutLengthAscii(DATA, text);
        IoVec.set(table(), 0, memory.address(DATA, length), length);
        return Syscalls.sendmsg(
            pairFd(0), memory.address(TABLE, IoVec.LENGTH), 1, Constants.MSG_NOSIGNAL,
            count == 0 ? 0 : memory.address(FDS, Integer.BYTES), count);
    }

    private int receive() {
        return Syscalls.recvmsg(
            pairFd(1), memory.address(DATA, 64), 64, Constants.MSG_DONTWAIT | Constants.MSG_CMSG_CLOEXEC,
            control.address());
    }

    private void putPath(final Path path) {
        final byte[] bytes = path.toString().getBytes(StandardCharsets.UTF_8);
        buffer.putBytes(DATA, bytes);
        buffer.putByte(DATA + bytes.length, (byte)0);
    }
}
