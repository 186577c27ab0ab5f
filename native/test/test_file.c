/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "constants.h"
#include "harness.h"

#define BEYOND_4_GIB 0x123456789L
/* Below the lowest address that the kernel allows to be mapped. */
#define UNMAPPED 4096
#define PROC_SUPER_MAGIC 0x9fa0

static char path[4096];

static int create_file(void) {
    const char *directory = getenv("TMPDIR");
    snprintf(path, sizeof(path), "%s/vsockproxy-test-%d", directory != NULL ? directory : "/tmp", (int)getpid());
    const int fd = vp_open(NO_JVM, ADDRESS(path), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    check_cloexec(fd);
    return fd;
}

static void remove_file(int fd) {
    CHECK_EQ(0, vp_unlink(NO_JVM, ADDRESS(path)));
    CHECK_EQ(-ENOENT, vp_unlink(NO_JVM, ADDRESS(path)));
    CHECK_EQ(0, vp_close(NO_JVM, fd));
}

static void should_describe_an_open_file(void) {
    struct statx status;
    const int fd = create_file();
    CHECK_EQ(5, vp_write(NO_JVM, fd, ADDRESS("hello"), 5));
    CHECK_EQ(0, vp_chmod(NO_JVM, ADDRESS(path), 0640));
    memset(&status, 0, sizeof(status));
    CHECK_EQ(0, vp_statx(NO_JVM, fd, AT_STATX_DONT_SYNC, STATX_BASIC_STATS, ADDRESS(&status)));
    CHECK_EQ(S_IFREG | 0640, status.stx_mode);
    CHECK_EQ(5, status.stx_size);
    CHECK(status.stx_ino != 0);
    CHECK_EQ(0, vp_ftruncate(NO_JVM, fd, BEYOND_4_GIB));
    CHECK_EQ(0, vp_statx(NO_JVM, fd, 0, STATX_BASIC_STATS, ADDRESS(&status)));
    CHECK_EQ(BEYOND_4_GIB, status.stx_size);
    CHECK_EQ(5, vp_lseek(NO_JVM, fd, 0, SEEK_CUR));
    CHECK_EQ(BEYOND_4_GIB, vp_lseek(NO_JVM, fd, BEYOND_4_GIB, SEEK_SET));
    CHECK_EQ(-EINVAL, vp_lseek(NO_JVM, fd, -1, SEEK_SET));
    CHECK_EQ(0, vp_fsync(NO_JVM, fd));
    CHECK_EQ(0, vp_fdatasync(NO_JVM, fd));
    CHECK_EQ(-EBADF, vp_statx(NO_JVM, -1, 0, STATX_BASIC_STATS, ADDRESS(&status)));
    CHECK_EQ(-EBADF, vp_fsync(NO_JVM, -1));
    CHECK_EQ(-EBADF, vp_fdatasync(NO_JVM, -1));
    remove_file(fd);
}

static void should_read_and_write_at_offsets_beyond_4_gib(void) {
    char first[3];
    char second[3];
    struct iovec out[2] = { { (void *)(uintptr_t)"abc", 3 }, { (void *)(uintptr_t)"def", 3 } };
    struct iovec in[2] = { { first, 3 }, { second, 3 } };
    const int fd = create_file();
    CHECK_EQ(6, vp_pwritev2(NO_JVM, fd, ADDRESS(out), 2, BEYOND_4_GIB, 0));
    CHECK_EQ(6, vp_preadv2(NO_JVM, fd, ADDRESS(in), 2, BEYOND_4_GIB, 0));
    CHECK(memcmp("abc", first, 3) == 0 && memcmp("def", second, 3) == 0);
    CHECK_EQ(5, vp_preadv2(NO_JVM, fd, ADDRESS(in), 2, BEYOND_4_GIB + 1, 0));
    CHECK(memcmp("bcd", first, 3) == 0);
    CHECK_EQ(0, vp_preadv2(NO_JVM, fd, ADDRESS(in), 2, 2 * BEYOND_4_GIB, 0));
    remove_file(fd);
}

static void should_use_the_files_own_position_for_offset_minus_one(void) {
    char bytes[6];
    struct iovec out = { (void *)(uintptr_t)"abcdef", 6 };
    struct iovec in = { bytes, 2 };
    const int fd = create_file();
    CHECK_EQ(6, vp_pwritev2(NO_JVM, fd, ADDRESS(&out), 1, -1, 0));
    CHECK_EQ(6, lseek(fd, 0, SEEK_CUR));
    CHECK_EQ(2, lseek(fd, 2, SEEK_SET));
    CHECK_EQ(2, vp_preadv2(NO_JVM, fd, ADDRESS(&in), 1, -1, 0));
    CHECK(memcmp("cd", bytes, 2) == 0);
    CHECK_EQ(4, lseek(fd, 0, SEEK_CUR));
    /* RWF_APPEND writes at the end whatever the offset. */
    CHECK_EQ(6, vp_pwritev2(NO_JVM, fd, ADDRESS(&out), 1, 0, RWF_APPEND));
    CHECK_EQ(12, lseek(fd, 0, SEEK_END));
    CHECK_EQ(-EINVAL, vp_preadv2(NO_JVM, fd, ADDRESS(&in), 1, -2, 0));
    remove_file(fd);
}

static void should_not_block_on_a_blocking_pipe_with_nowait(void) {
    int ends[2];
    char byte = 0;
    int waiting = -1;
    struct iovec piece = { &byte, 1 };
    CHECK_EQ(0, vp_pipe2(NO_JVM, ADDRESS(ends), O_CLOEXEC));
    check_cloexec(ends[0]);
    check_cloexec(ends[1]);
    CHECK_EQ(0, vp_fcntl(NO_JVM, ends[0], F_GETFL, 0) & O_NONBLOCK);
    const jlong result = vp_preadv2(NO_JVM, ends[0], ADDRESS(&piece), 1, -1, RWF_NOWAIT);
    /* Pipes support it since Linux 6.4. */
    CHECK(result == -EAGAIN || result == -EOPNOTSUPP);
    CHECK_EQ(1, vp_write(NO_JVM, ends[1], ADDRESS("x"), 1));
    CHECK_EQ(0, vp_ioctl(NO_JVM, ends[0], FIONREAD, ADDRESS(&waiting)));
    CHECK_EQ(1, waiting);
    if (result == -EAGAIN) {
        CHECK_EQ(1, vp_preadv2(NO_JVM, ends[0], ADDRESS(&piece), 1, -1, RWF_NOWAIT));
        CHECK_EQ('x', byte);
    }
    CHECK_EQ(65536, vp_fcntl(NO_JVM, ends[1], F_SETPIPE_SZ, 65536));
    close_both(ends);
}

static void should_move_bytes_between_a_pipe_and_a_socket(void) {
    int ends[2];
    int pair[2];
    char text[6] = "";
    CHECK_EQ(0, vp_pipe2(NO_JVM, ADDRESS(ends), O_CLOEXEC | O_NONBLOCK));
    CHECK_EQ(0, vp_socketpair(NO_JVM, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ADDRESS(pair)));
    CHECK_EQ(-EAGAIN, vp_splice(NO_JVM, pair[1], ends[1], 100, SPLICE_F_NONBLOCK));
    CHECK_EQ(5, vp_write(NO_JVM, pair[0], ADDRESS("hello"), 5));
    CHECK_EQ(5, vp_splice(NO_JVM, pair[1], ends[1], 100, SPLICE_F_NONBLOCK));
    CHECK_EQ(5, vp_splice(NO_JVM, ends[0], pair[0], 100, SPLICE_F_NONBLOCK));
    CHECK_EQ(-EAGAIN, vp_splice(NO_JVM, ends[0], pair[0], 100, SPLICE_F_NONBLOCK));
    CHECK_EQ(5, vp_read(NO_JVM, pair[1], ADDRESS(text), 5));
    CHECK(strcmp(text, "hello") == 0);
    CHECK_EQ(-EINVAL, vp_splice(NO_JVM, pair[0], pair[1], 100, SPLICE_F_NONBLOCK));
    CHECK_EQ(-EBADF, vp_splice(NO_JVM, -1, ends[1], 100, SPLICE_F_NONBLOCK));
    close_both(pair);
    close_both(ends);
}

static void should_close_a_range_of_descriptors(void) {
    int ends[2];
    CHECK_EQ(0, vp_pipe2(NO_JVM, ADDRESS(ends), O_CLOEXEC));
    const int first = vp_fcntl(NO_JVM, ends[0], F_DUPFD_CLOEXEC, 500);
    CHECK_EQ(501, vp_fcntl(NO_JVM, ends[0], F_DUPFD_CLOEXEC, 501));
    CHECK_EQ(500, first);
    CHECK_EQ(0, vp_close_range(NO_JVM, 500, -1, 0));
    CHECK_EQ(-EBADF, vp_close(NO_JVM, 500));
    CHECK_EQ(-EBADF, vp_close(NO_JVM, 501));
    CHECK_EQ(-EINVAL, vp_close_range(NO_JVM, 501, 500, 0));
    close_both(ends);
}

static void should_duplicate_a_descriptor_closed_on_exec(void) {
    int ends[2];
    CHECK_EQ(0, vp_pipe2(NO_JVM, ADDRESS(ends), 0));
    CHECK_EQ(0, vp_fcntl(NO_JVM, ends[0], F_GETFD, 0));
    const int copy = vp_fcntl(NO_JVM, ends[0], F_DUPFD_CLOEXEC, 0);
    CHECK(copy >= 0);
    check_cloexec(copy);
    CHECK_EQ(0, vp_close(NO_JVM, copy));
    close_both(ends);
}

static void should_put_another_file_in_the_place_of_a_descriptor(void) {
    int first[2];
    int second[2];
    char byte = 0;
    CHECK_EQ(0, vp_pipe2(NO_JVM, ADDRESS(first), O_CLOEXEC | O_NONBLOCK));
    CHECK_EQ(0, vp_pipe2(NO_JVM, ADDRESS(second), O_CLOEXEC | O_NONBLOCK));
    CHECK_EQ(first[0], vp_dup3(NO_JVM, second[0], first[0], O_CLOEXEC));
    check_cloexec(first[0]);
    CHECK_EQ(1, vp_write(NO_JVM, second[1], ADDRESS("x"), 1));
    CHECK_EQ(1, vp_read(NO_JVM, first[0], ADDRESS(&byte), 1));
    /* The other pipe has no reader any more. */
    CHECK((vp_poll(NO_JVM, first[1], POLLOUT) & POLLERR) != 0);
    CHECK_EQ(-EBADF, vp_dup3(NO_JVM, -1, first[0], O_CLOEXEC));
    CHECK_EQ(-EINVAL, vp_dup3(NO_JVM, first[0], first[0], O_CLOEXEC));
    close_both(first);
    close_both(second);
}

static void should_lock_a_file_until_its_last_descriptor_is_closed(void) {
    const int fd = create_file();
    const int copy = vp_fcntl(NO_JVM, fd, F_DUPFD_CLOEXEC, 0);
    const int other = vp_open(NO_JVM, ADDRESS(path), O_RDONLY | O_CLOEXEC, 0);
    CHECK(copy >= 0 && other >= 0);
    CHECK_EQ(0, vp_flock(NO_JVM, fd, LOCK_EX | LOCK_NB));
    CHECK_EQ(-EAGAIN, vp_flock(NO_JVM, other, LOCK_EX | LOCK_NB));
    remove_file(fd);
    CHECK_EQ(-EAGAIN, vp_flock(NO_JVM, other, LOCK_EX | LOCK_NB));
    CHECK_EQ(0, vp_close(NO_JVM, copy));
    CHECK_EQ(0, vp_flock(NO_JVM, other, LOCK_EX | LOCK_NB));
    CHECK_EQ(0, vp_close(NO_JVM, other));
    CHECK_EQ(-EBADF, vp_flock(NO_JVM, other, LOCK_EX | LOCK_NB));
}

static void should_tell_a_file_systems_type(void) {
    const char *name = "/proc/self/status";
    const int fd = vp_open(NO_JVM, ADDRESS(name), O_RDONLY | O_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK_EQ(PROC_SUPER_MAGIC, vp_fstatfs_type(NO_JVM, fd));
    CHECK_EQ(0, vp_close(NO_JVM, fd));
    CHECK_EQ(-EBADF, vp_fstatfs_type(NO_JVM, fd));
}

static void should_refuse_bad_memory_and_lengths(void) {
    int ends[2];
    char byte;
    CHECK_EQ(0, vp_pipe2(NO_JVM, ADDRESS(ends), O_CLOEXEC | O_NONBLOCK));
    CHECK_EQ(1, vp_write(NO_JVM, ends[1], ADDRESS("x"), 1));
    CHECK(vp_read(NO_JVM, ends[0], ADDRESS(&byte), -1) < 0);
    CHECK_EQ(-EFAULT, vp_read(NO_JVM, ends[0], UNMAPPED, 1));
    CHECK_EQ(-EFAULT, vp_open(NO_JVM, UNMAPPED, O_RDONLY, 0));
    close_both(ends);
}

static void should_yield_and_refuse_a_cpu_that_does_not_exist(void) {
    CHECK_EQ(0, vp_sched_yield(NO_JVM));
    CHECK_EQ(-EINVAL, vp_sched_setaffinity(NO_JVM, -1));
    CHECK_EQ(-EINVAL, vp_sched_setaffinity(NO_JVM, 1024));
}

int main(void) {
    static const test_case tests[] = {
        TEST(should_describe_an_open_file),
        TEST(should_read_and_write_at_offsets_beyond_4_gib),
        TEST(should_use_the_files_own_position_for_offset_minus_one),
        TEST(should_not_block_on_a_blocking_pipe_with_nowait),
        TEST(should_move_bytes_between_a_pipe_and_a_socket),
        TEST(should_close_a_range_of_descriptors),
        TEST(should_duplicate_a_descriptor_closed_on_exec),
        TEST(should_put_another_file_in_the_place_of_a_descriptor),
        TEST(should_lock_a_file_until_its_last_descriptor_is_closed),
        TEST(should_tell_a_file_systems_type),
        TEST(should_refuse_bad_memory_and_lengths),
        TEST(should_yield_and_refuse_a_cpu_that_does_not_exist),
    };
    return RUN_TESTS(tests);
}
