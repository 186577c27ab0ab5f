/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>

#include "shim.h"

jint vp_epoll_create1(VP_JVM, jint flags) {
    return VP_RETRY_INT(epoll_create1(flags));
}

jint vp_epoll_ctl(VP_JVM, jint epfd, jint operation, jint fd, jint events, jlong data) {
    /* Kernels before 2.6.9 require an event for EPOLL_CTL_DEL too; later ones ignore it. */
    struct epoll_event event = { .events = (uint32_t)events, .data = { .u64 = (uint64_t)data } };
    return VP_RETRY_INT(epoll_ctl(epfd, operation, fd, &event));
}

/* Not repeated after EINTR, as it would wait the whole time again: the loop checks its timers first. */
jint vp_epoll_wait(VP_JVM, jint epfd, jlong events_address, jint max_events, jint timeout_ms) {
    /* Without a signal mask it is the same as epoll_wait, which AArch64 lacks. */
    const long ready = VP_SYSCALL(epoll_pwait, epfd, vp_pointer(events_address), max_events, timeout_ms, NULL, 0);
    if (ready >= 0) {
        return (jint)ready;
    }
    return errno == EINTR ? 0 : -errno;
}

/* The current readiness, without waiting: those who want to wait use epoll. */
jint vp_poll(VP_JVM, jint fd, jint events) {
    struct pollfd asked = { .fd = fd, .events = (short)events };
    const int ready = VP_RETRY_INT(poll(&asked, 1, 0));
    return ready < 0 ? ready : asked.revents;
}

jint vp_eventfd(VP_JVM, jint initial_value, jint flags) {
    return VP_RETRY_INT(eventfd((unsigned int)initial_value, flags));
}

jint vp_timerfd_create(VP_JVM, jint flags) {
    return VP_RETRY_INT(timerfd_create(CLOCK_MONOTONIC, flags));
}

jint vp_timerfd_settime(VP_JVM, jint fd, jlong delay_ns) {
    if (delay_ns < 0) {
        return -EINVAL;
    }
    const struct itimerspec once = {
        .it_value = { .tv_sec = (time_t)(delay_ns / 1000000000), .tv_nsec = (long)(delay_ns % 1000000000) },
    };
    return VP_RETRY_INT(timerfd_settime(fd, 0, &once, NULL));
}

static const JNINativeMethod methods[] = {
    VP_NATIVE("epollCreate1", "(I)I", vp_epoll_create1),
    VP_NATIVE("epollCtl", "(IIIIJ)I", vp_epoll_ctl),
    VP_NATIVE("epollWait", "(IJII)I", vp_epoll_wait),
    VP_NATIVE("poll", "(II)I", vp_poll),
    VP_NATIVE("eventfd", "(II)I", vp_eventfd),
    VP_NATIVE("timerfdCreate", "(I)I", vp_timerfd_create),
    VP_NATIVE("timerfdSettime", "(IJ)I", vp_timerfd_settime),
};

const vp_natives vp_epoll_natives = VP_NATIVES(methods);
