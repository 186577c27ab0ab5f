# Copyright 2026 The vsock-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""Does the same to a file and to a received one, and prints what differs; see FileLikenessTest.

Arguments: a socket on which "FLAGS PATH" is answered with a descriptor from the other side, and a directory for files.
"""
import ctypes
import errno
import fcntl
import mmap
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time

SYS_IO_SETUP, SYS_IO_DESTROY, SYS_IO_GETEVENTS, SYS_IO_SUBMIT = 206, 207, 208, 209
RWF_DSYNC, RWF_SYNC = 2, 4
LIBC = ctypes.CDLL(None, use_errno=True)
# From Linux 6.6 on, files on FUSE that are read directly can be mapped to be shared.
MAPS_SHARED = [int(number) for number in os.uname().release.split(".")[:2]] >= [6, 6]
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def result(call, *arguments):
    """What a call gives, or the name of its error."""
    try:
        return call(*arguments)
    except OSError as e:
        return errno.errorcode.get(e.errno, e.errno)


class Files:
    """Makes files and opens them, here or at the other side."""

    def __init__(self, directory, other_side):
        self.directory = directory
        self.other_side = other_side
        self.opened = []
        self.count = 0

    def open(self, flags, content=b""):
        self.count += 1
        path = os.path.join(self.directory, "%s-%d" % ("local" if self.other_side is None else "passed", self.count))
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, 0o644)
        self.path = path
        if self.other_side is None:
            return self.keep(os.open(path, flags))
        self.other_side.send(b"%d %s" % (flags, path.encode()))
        return self.keep(socket.recv_fds(self.other_side, 1, 1)[1][0])

    def keep(self, descriptor):
        self.opened.append(descriptor)
        return descriptor

    def reopen(self, descriptor, flags):
        return self.keep(os.open("/proc/self/fd/%d" % descriptor, flags))

    def content(self):
        with open(self.path, "rb") as file:
            return file.read()

    def close(self):
        for descriptor in self.opened:
            result(os.close, descriptor)
        self.opened.clear()


@check
def reads(files):
    f = files.open(os.O_RDWR, b"0123456789")
    return [os.read(f, 3), os.pread(f, 4, 5), os.pread(f, 4, 8), os.pread(f, 4, 10), os.pread(f, 4, 11111),
            os.read(f, 100), os.read(f, 1), result(os.pread, f, 4, -1), result(os.pread, f, 1, 2**63 - 1),
            result(os.pread, f, 10, 2**63 - 5), os.lseek(f, 0, 1)]


@check
def access_modes(files):
    w = files.open(os.O_WRONLY, b"x")
    r = files.open(os.O_RDONLY, b"x")
    return [result(os.read, w, 1), result(os.write, r, b"1"), result(os.pwrite, r, b"1", 0),
            result(os.ftruncate, r, 0), result(os.ftruncate, w, -1), result(os.write, r, b""), result(os.read, w, 0),
            result(os.fsync, r), result(os.fdatasync, r), result(os.posix_fallocate, r, 0, 10)]


@check
def seeks(files):
    f = files.open(os.O_RDWR, b"0123456789")
    return [os.lseek(f, 0, 2), result(os.lseek, f, -1, 0), result(os.lseek, f, -20, 2), os.lseek(f, 5, 2),
            os.read(f, 1), os.lseek(f, 0, os.SEEK_DATA), os.lseek(f, 0, os.SEEK_HOLE),
            result(os.lseek, f, 10, os.SEEK_DATA), result(os.lseek, f, -1, os.SEEK_HOLE)]


@check
def vectors(files):
    f = files.open(os.O_RDWR)
    pieces = [bytes([i % 256]) * (i % 37) for i in range(1024)]
    written = os.writev(f, pieces)
    os.lseek(f, 0, 0)
    read = [bytearray(len(piece)) for piece in pieces]
    large = [b"z" * 4000 for _ in range(1024)]
    return [written, os.readv(f, read), [bytes(piece) for piece in read] == pieces,
            result(os.writev, f, [b"x"] * 1025), os.pwritev(f, large, 1), len(os.pread(f, 5000000, 1)),
            os.fstat(f).st_size]


@check
def flags_of_one_call(files):
    f = files.open(os.O_RDWR, b"0123456789")
    return [os.pwritev(f, [b"ab"], 0, RWF_DSYNC), os.pwritev(f, [b"ab"], 1, RWF_SYNC),
            result(os.preadv, f, [bytearray(4)], 0, 1 << 30), files.content()]


@check
def behind_the_end(files):
    f = files.open(os.O_RDWR, b"abc")
    return [os.pwrite(f, b"x", 100), os.fstat(f).st_size, os.pread(f, 200, 0), result(os.pwrite, f, b"x", 2**63 - 1),
            result(os.ftruncate, f, 2**63 - 1), os.fstat(f).st_size]


@check
def truncations(files):
    f = files.open(os.O_RDWR, b"0123456789")
    os.lseek(f, 8, 0)
    os.ftruncate(f, 4)
    seen = [os.read(f, 4), os.fstat(f).st_size, os.lseek(f, 0, 1)]
    os.ftruncate(f, 20)
    seen += [os.pread(f, 30, 0), files.content()]
    os.truncate("/proc/self/fd/%d" % f, 3)
    return seen + [files.content(), os.fstat(f).st_size]


@check
def file_size_limit(files):
    f = files.open(os.O_RDWR)

    def child():
        import resource
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        seen = [os.write(f, b"x" * 150), result(os.write, f, b"x"), result(os.ftruncate, f, 1000)]
        return 0 if seen == [100, "EFBIG", "EFBIG"] else 1
    return in_child(child)


@check
def appends(files):
    f = files.open(os.O_RDWR | os.O_APPEND, b"abc")
    seen = [os.write(f, b"de"), os.lseek(f, 0, 1), os.pwrite(f, b"X", 0), files.content(), os.lseek(f, 0, 1)]
    g = files.reopen(f, os.O_WRONLY | os.O_APPEND)
    for descriptor, byte in ((f, b"1"), (g, b"2"), (f, b"3")):
        os.write(descriptor, byte)
    return seen + [files.content()]


@check
def append_set_later(files):
    f = files.open(os.O_RDWR, b"abc")
    flags = fcntl.fcntl(f, fcntl.F_GETFL)
    fcntl.fcntl(f, fcntl.F_SETFL, flags | os.O_APPEND)
    seen = [os.write(f, b"de"), os.lseek(f, 0, 1), os.pwrite(f, b"X", 0), files.content()]
    fcntl.fcntl(f, fcntl.F_SETFL, flags)
    os.pwrite(f, b"Y", 0)
    return seen + [files.content()]


@check
def sendfile(files):
    f = files.open(os.O_RDWR, os.urandom(1000) * 300)
    ours, theirs = socket.socketpair()
    received = b""
    sent = 0
    while len(received) < 300000:
        sent += os.sendfile(ours.fileno(), f, sent, 50000)
        while len(received) < sent:
            received += theirs.recv(65536)
    os.lseek(f, 10, 0)
    seen = [sent, received == files.content(), os.sendfile(ours.fileno(), f, sent, 10),
            os.sendfile(ours.fileno(), f, None, 20), os.lseek(f, 0, 1)]
    ours.close()
    theirs.close()
    return seen


@check
def splice(files):
    f = files.open(os.O_RDWR, b"A" * 5000)
    r, w = os.pipe()
    files.keep(r)
    files.keep(w)
    if not hasattr(os, "splice"):
        return None
    seen = [os.splice(f, w, 20000, 4990), os.read(r, 100), os.splice(f, w, 20000, 5000), os.splice(f, w, 30)]
    seen += [os.read(r, 100), os.lseek(f, 0, 1)]
    os.write(w, b"x" * 30000)
    seen += [os.splice(r, f, 30000, None, 3), os.fstat(f).st_size, files.content()[:5]]
    a = files.open(os.O_RDWR | os.O_APPEND)
    os.write(w, b"y")
    return seen + [result(os.splice, r, a, 1)]


@check
def copy_file_range(files):
    f = files.open(os.O_RDWR, b"A" * 5000)
    g = files.reopen(f, os.O_RDWR)
    return [result(os.copy_file_range, f, g, 1000, 0, 10000), len(files.content()),
            result(os.copy_file_range, f, g, 1000, 0, 500), result(os.copy_file_range, f, g, 1000, 999999, 0)]


@check
def ioctls(files):
    f = files.open(os.O_RDWR, b"0123456789")
    os.lseek(f, 3, 0)
    buffer = bytearray(128)
    fcntl.ioctl(f, 0x541B, buffer)
    return [struct.unpack("i", buffer[:4]), os.isatty(f), result(fcntl.ioctl, f, 0x40049409, bytearray(4))]


@check
def modes_and_owners_as_they_are(files):
    f = files.open(os.O_RDWR)
    return [os.fstat(f).st_mode, result(os.fchmod, f, 0o644), result(os.fchown, f, os.getuid(), os.getgid()),
            result(os.fchown, f, -1, -1)]


@check
def what_moves_the_times(files):
    f = files.open(os.O_RDWR, b"x")
    first = os.fstat(f)
    time.sleep(0.02)
    os.write(f, b"y")
    second = os.fstat(f)
    time.sleep(0.02)
    os.ftruncate(f, 0)
    third = os.fstat(f)
    return [second.st_mtime > first.st_mtime, second.st_ctime > first.st_ctime, third.st_mtime > second.st_mtime,
            third.st_size, third.st_blocks]


@check
def a_file_without_a_name(files):
    f = files.open(os.O_RDWR, b"x")
    os.unlink(files.path)
    return [os.fstat(f).st_nlink, os.write(f, b"yy"), os.pread(f, 5, 0)]


@check
def locks(files):
    f = files.open(os.O_RDWR)
    g = files.reopen(f, os.O_RDWR)
    seen = [result(fcntl.flock, f, fcntl.LOCK_EX), result(fcntl.flock, g, fcntl.LOCK_EX | fcntl.LOCK_NB),
            result(fcntl.flock, f, fcntl.LOCK_UN), result(fcntl.flock, g, fcntl.LOCK_SH | fcntl.LOCK_NB),
            result(fcntl.lockf, f, fcntl.LOCK_EX | fcntl.LOCK_NB)]
    seen += [in_child(lambda: 0 if result(fcntl.lockf, f, fcntl.LOCK_EX | fcntl.LOCK_NB) == "EAGAIN" else 1)]
    return seen


@check
def synchronisation(files):
    f = files.open(os.O_RDWR, b"x")
    return [os.fsync(f), os.fdatasync(f), result(LIBC.sync_file_range, f, ctypes.c_long(0), ctypes.c_long(0), 7),
            result(LIBC.syncfs, f), os.posix_fadvise(f, 0, 0, os.POSIX_FADV_DONTNEED)]


@check
def readiness(files):
    f = files.open(os.O_RDWR, b"x")
    os.set_blocking(f, False)
    poll = select.poll()
    poll.register(f, select.POLLIN | select.POLLOUT | select.POLLPRI)
    return [[events for _, events in poll.poll(0)], [len(ready) for ready in select.select([f], [f], [f], 0)],
            os.read(f, 10), os.read(f, 10), os.write(f, b"y")]


@check
def mappings(files):
    if not MAPS_SHARED:
        return None
    f = files.open(os.O_RDWR, b"0123456789" * 1000)

    def mapped(flags, protection=mmap.PROT_READ | mmap.PROT_WRITE):
        return mmap.mmap(f, 10000, flags, protection)

    def private():
        m = mapped(mmap.MAP_PRIVATE)
        m[5:8] = b"PPP"
        return 0 if files.content()[5:8] == b"567" and m[4:9] == b"4PPP8" else 1

    def stored():
        m = mapped(mmap.MAP_SHARED)
        m[0:3] = b"xyz"
        m.flush()
        m[100:103] = b"XYZ"
        m.close()
        return 0 if files.content()[:4] == b"xyz3" and files.content()[100:103] == b"XYZ" else 1

    def overwritten():
        m = mapped(mmap.MAP_SHARED)
        before = m[200:203]
        os.pwrite(f, b"QQQ", 200)
        m[300:303] = b"RRR"
        return 0 if (before, m[200:203], os.pread(f, 3, 300)) == (b"012", b"QQQ", b"RRR") else 1

    def cut():
        m = mapped(mmap.MAP_SHARED)
        os.ftruncate(f, 5000)
        return m[8192]
    return [in_child(child) for child in (private, stored, overwritten, cut)]


@check
def mappings_that_are_refused(files):
    if not MAPS_SHARED:
        return None
    r = files.open(os.O_RDONLY, b"0" * 5000)
    w = files.open(os.O_WRONLY, b"0" * 5000)
    return [result(mmap.mmap, r, 5000, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE),
            result(mmap.mmap, w, 5000, mmap.MAP_SHARED, mmap.PROT_WRITE),
            result(mmap.mmap, w, 5000, mmap.MAP_PRIVATE, mmap.PROT_READ)]


@check
def opening_again(files):
    f = files.open(os.O_RDWR, b"0123456789")
    path = "/proc/self/fd/%d" % f
    seen = []
    for flags in (os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_APPEND, os.O_RDONLY | os.O_NOFOLLOW,
                  os.O_RDWR | os.O_CREAT | os.O_EXCL, os.O_RDONLY | os.O_DIRECTORY, os.O_RDWR | os.O_TRUNC,
                  fcntl.fcntl(f, fcntl.F_GETFL)):
        again = result(os.open, path, flags)
        seen.append((flags & ~os.O_DIRECT, "opened" if isinstance(again, int) else again, files.content()))
        if isinstance(again, int):
            os.close(again)
    for mode, text in (("w", "hello"), ("a", "more"), ("r+", "J")):
        with open(path, mode) as file:
            file.write(text)
        seen.append(files.content())
    return seen + [os.access(path, os.W_OK), os.access(path, os.X_OK), os.path.samestat(os.stat(path), os.fstat(f))]


@check
def positions(files):
    f = files.open(os.O_RDWR, b"line 1\nline 2\n0123456789")
    seen = [subprocess.run(["head", "-n1"], stdin=f, capture_output=True).stdout, os.lseek(f, 0, 1)]
    g = files.reopen(f, os.O_RDONLY)
    d = files.keep(os.dup(f))
    seen += [os.read(g, 6), os.read(d, 7), os.read(f, 2)]
    subprocess.run(["echo", "out"], stdout=f, check=True)
    return seen + [files.content()]


@check
def asynchronous_io(files):
    if os.uname().machine != "x86_64":
        return None
    f = files.open(os.O_RDWR, b"0123456789")
    context = ctypes.c_ulong(0)
    buffer = ctypes.create_string_buffer(b"WXYZ", 16)

    def system_call(*arguments):
        return LIBC.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])

    def submit(opcode, length, offset):
        block = ctypes.create_string_buffer(struct.pack(
            "QIIHhIQQqQII", 1, 0, 0, opcode, 0, f, ctypes.addressof(buffer), length, offset, 0, 0, 0))
        pointer = (ctypes.c_void_p * 1)(ctypes.addressof(block))
        events = ctypes.create_string_buffer(32)
        timeout = ctypes.create_string_buffer(struct.pack("qq", 10, 0))
        if system_call(SYS_IO_SUBMIT, context.value, 1, pointer) != 1:
            return "refused"
        count = system_call(SYS_IO_GETEVENTS, context.value, 1, 1, events, timeout)
        return struct.unpack("QQqq", events.raw)[2] if count == 1 else "late"
    if system_call(SYS_IO_SETUP, 8, ctypes.byref(context)) < 0:
        return None
    seen = [submit(1, 4, 2), submit(0, 16, 0), buffer.raw[:10], submit(0, 16, 100), submit(2, 0, 0), submit(3, 0, 0),
            submit(1, 4, 20), files.content()]
    system_call(SYS_IO_DESTROY, context.value)
    return seen


@check
def programs(files):
    f = files.open(os.O_RDWR, b"".join(b"line %d\n" % i for i in range(5000)))
    with open(files.directory + "/source", "wb") as source:
        source.write(b"".join(b"source %d\n" % i for i in range(100)))
    os.chmod(source.name, 0o644)
    seen = []
    for command in (
            "wc -c < FD", "tail -n 2 FD", "tail -c 5 FD", "head -c -48880 FD", "sort -r FD | head -n 1",
            "dd if=FD bs=1000 skip=3 count=1 status=none | cksum", "dd if=FD bs=4096 iflag=direct status=none | cksum",
            "cp FD copy && cksum < copy", "cp --sparse=always FD copy && cksum < copy", "cat FD > copy && cksum < copy",
            "split -n 3 FD part. && cat part.* | cksum", "bash -c 'mapfile -t a < FD; echo ${#a[@]}'",
            "echo new > FD", "echo more >> FD", "dd if=/dev/zero of=FD bs=100 count=3 status=none",
            "dd if=/dev/zero of=FD bs=100 seek=5 count=1 conv=notrunc status=none",
            "dd if=/dev/zero of=FD bs=100 count=1 conv=fsync,notrunc status=none",
            "dd if=/dev/zero of=FD bs=100 count=1 oflag=dsync,append conv=notrunc status=none", "truncate -s 10 FD",
            "truncate -s +5 FD", "cp source FD", "cp -p source FD", "tee FD < source > copy", "sort source -o FD",
            "touch FD", "chmod 644 FD", "tar cf FD source && tar rf FD copy && tar tf FD", "flock NUMBER echo locked",
            "sync FD", "mv source FD", "rm FD", "ln FD link"):
        ran = subprocess.run(
            ["bash", "-c", command.replace("FD", "/dev/fd/%d" % f).replace("NUMBER", str(f))], pass_fds=[f],
            capture_output=True, cwd=files.directory, timeout=60)
        # An archive has the time of day in it.
        seen.append((command, ran.returncode, ran.stdout, len(files.content()),
                     None if "tar" in command else files.content()[-100:]))
    return seen


def in_child(function):
    """Its result as an exit status, or the signal that it died of."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(function())
        except BaseException as e:
            sys.stderr.write(repr(e) + "\n")
            os._exit(99)
    status = os.waitpid(child, 0)[1]
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else "signal %d" % os.WTERMSIG(status)


def main():
    other_side = socket.socket(socket.AF_UNIX)
    other_side.connect(sys.argv[1])
    sides = [Files(sys.argv[2], None), Files(sys.argv[2], other_side)]
    for function in CHECKS:
        seen = []
        for files in sides:
            try:
                seen.append(function(files))
            except Exception as e:
                seen.append("%r in line %d" % (e, e.__traceback__.tb_next.tb_lineno))
            files.close()
        # A check that fails has not compared anything.
        if seen[0] != seen[1] or isinstance(seen[0], str):
            if isinstance(seen[0], list) and isinstance(seen[1], list):
                seen = [[a for a, b in zip(*seen) if a != b], [b for a, b in zip(*seen) if a != b]]
            print("%s:\n  file %r\n  passed %r" % (function.__name__, *seen), flush=True)
    print("compared %d" % len(CHECKS))


main()
