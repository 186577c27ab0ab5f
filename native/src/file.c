/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "constants.h"
#include "shim.h"

/* On 64 bits the kernel takes the whole offset from pos_l and shifts pos_h out. */
#define POSITION_HIGH 0L

jint vp_pipe2(VP_JVM, jlong pair_address, jint flags) {
    return VP_RETRY_INT(pipe2(vp_pointer(pair_address), flags));
}

jint vp_open(VP_JVM, jlong path, jint flags, jint mode) {
    return VP_RETRY_INT(open(vp_pointer(path), flags, (mode_t)mode));
}

/* Never repeated: Linux frees the number even when it reports EINTR, and a retry could close another descriptor. */
jint vp_close(VP_JVM, jint fd) {
    return close(fd) == 0 ? 0 : -errno;
}

jint vp_dup3(VP_JVM, jint fd, jint number, jint flags) {
    return VP_RETRY_INT(dup3(fd, number, flags));
}

/* By number, because glibc has a wrapper only from 2.34 on. */
jint vp_close_range(VP_JVM, jint first, jint last, jint flags) {
    return VP_RETRY_INT(
        syscall(SYS_close_range, (unsigned long)(unsigned)first, (unsigned long)(unsigned)last, (long)flags));
}

jlong vp_read(VP_JVM, jint fd, jlong address, jlong length) {
    return VP_RETRY(read(fd, vp_pointer(address), (size_t)length));
}

jlong vp_write(VP_JVM, jint fd, jlong address, jlong length) {
    return VP_RETRY(write(fd, vp_pointer(address), (size_t)length));
}

jlong vp_splice(VP_JVM, jint in, jint out, jlong length, jint flags) {
    return VP_RETRY(splice(in, NULL, out, NULL, (size_t)length, (unsigned)flags));
}

/* By number, because glibc has wrappers only from 2.26 on. syscall(2) takes longs, so no argument may be narrower. */
jlong vp_preadv2(VP_JVM, jint fd, jlong iov, jint iov_count, jlong offset, jint flags) {
    return VP_RETRY(
        syscall(SYS_preadv2, (long)fd, vp_pointer(iov), (long)iov_count, (long)offset, POSITION_HIGH, (long)flags));
}

jlong vp_pwritev2(VP_JVM, jint fd, jlong iov, jint iov_count, jlong offset, jint flags) {
    return VP_RETRY(
        syscall(SYS_pwritev2, (long)fd, vp_pointer(iov), (long)iov_count, (long)offset, POSITION_HIGH, (long)flags));
}

/* By number, because glibc has a wrapper only from 2.28 on. */
jint vp_statx(VP_JVM, jint fd, jint flags, jint mask, jlong statx_address) {
    return VP_RETRY_INT(
        syscall(SYS_statx, (long)fd, "", (long)(flags | AT_EMPTY_PATH), (long)mask, vp_pointer(statx_address)));
}

jlong vp_fstatfs_type(VP_JVM, jint fd) {
    struct statfs status;
    const long result = VP_RETRY(fstatfs(fd, &status));
    return result < 0 ? result : (jlong)status.f_type;
}

jlong vp_lseek(VP_JVM, jint fd, jlong offset, jint whence) {
    return VP_RETRY(lseek(fd, offset, whence));
}

jint vp_ftruncate(VP_JVM, jint fd, jlong length) {
    return VP_RETRY_INT(ftruncate(fd, length));
}

jint vp_fsync(VP_JVM, jint fd) {
    return VP_RETRY_INT(fsync(fd));
}

jint vp_fdatasync(VP_JVM, jint fd) {
    return VP_RETRY_INT(fdatasync(fd));
}

jint vp_fcntl(VP_JVM, jint fd, jint command, jint argument) {
    return VP_RETRY_INT(fcntl(fd, command, argument));
}

jint vp_flock(VP_JVM, jint fd, jint operation) {
    return VP_RETRY_INT(flock(fd, operation));
}

jint vp_ioctl(VP_JVM, jint fd, jlong request, jlong address) {
    return VP_RETRY_INT(ioctl(fd, (unsigned long)request, vp_pointer(address)));
}

jint vp_unlink(VP_JVM, jlong path) {
    return VP_RETRY_INT(unlink(vp_pointer(path)));
}

jint vp_chmod(VP_JVM, jlong path, jint mode) {
    return VP_RETRY_INT(chmod(vp_pointer(path), (mode_t)mode));
}

static const JNINativeMethod methods[] = {
    VP_NATIVE("pipe2", "(JI)I", vp_pipe2),
    VP_NATIVE("open", "(JII)I", vp_open),
    VP_NATIVE("close", "(I)I", vp_close),
    VP_NATIVE("dup3", "(III)I", vp_dup3),
    VP_NATIVE("closeRange", "(III)I", vp_close_range),
    VP_NATIVE("read", "(IJJ)J", vp_read),
    VP_NATIVE("write", "(IJJ)J", vp_write),
    VP_NATIVE("splice", "(IIJI)J", vp_splice),
    VP_NATIVE("preadv2", "(IJIJI)J", vp_preadv2),
    VP_NATIVE("pwritev2", "(IJIJI)J", vp_pwritev2),
    VP_NATIVE("statx", "(IIIJ)I", vp_statx),
    VP_NATIVE("fstatfsType", "(I)J", vp_fstatfs_type),
    VP_NATIVE("lseek", "(IJI)J", vp_lseek),
    VP_NATIVE("ftruncate", "(IJ)I", vp_ftruncate),
    VP_NATIVE("fsync", "(I)I", vp_fsync),
    VP_NATIVE("fdatasync", "(I)I", vp_fdatasync),
    VP_NATIVE("fcntl", "(III)I", vp_fcntl),
    VP_NATIVE("flock", "(II)I", vp_flock),
    VP_NATIVE("ioctl", "(IJJ)I", vp_ioctl),
    VP_NATIVE("unlink", "(J)I", vp_unlink),
    VP_NATIVE("chmod", "(JI)I", vp_chmod),
};

const vp_natives vp_file_natives = VP_NATIVES(methods);
