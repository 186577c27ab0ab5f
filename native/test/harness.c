/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define INTERRUPTS 5
#define INTERRUPT_INTERVAL_US 20000

static volatile sig_atomic_t interrupt_count;

void check_true(int condition, const char *text, const char *file, int line) {
    if (!condition) {
        fprintf(stderr, "%s:%d: not so: %s\n", file, line, text);
        exit(1);
    }
}

void check_equal(long expected, long actual, const char *text, const char *file, int line) {
    if (expected != actual) {
        fprintf(stderr, "%s:%d: %s: expected=%ld, actual=%ld\n", file, line, text, expected, actual);
        exit(1);
    }
}

int open_descriptors(void) {
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    CHECK(directory != NULL);
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count;
}

int run_tests(const test_case *tests, size_t count) {
    for (size_t i = 0; i < count; i++) {
        printf("%s\n", tests[i].name);
        fflush(stdout);
        const int before = open_descriptors();
        tests[i].run();
        CHECK_EQ(before, open_descriptors());
    }
    return 0;
}

void check_cloexec(int fd) {
    const int flags = fcntl(fd, F_GETFD);
    CHECK(flags >= 0);
    CHECK(flags & FD_CLOEXEC);
}

void close_both(const int pair[2]) {
    CHECK_EQ(0, vp_close(NO_JVM, pair[0]));
    CHECK_EQ(0, vp_close(NO_JVM, pair[1]));
}

void join_child(pid_t pid) {
    int status = 0;
    pid_t joined;
    do {
        joined = waitpid(pid, &status, 0);
    } while (joined == -1 && errno == EINTR);
    CHECK_EQ(pid, joined);
    CHECK(WIFEXITED(status));
    CHECK_EQ(0, WEXITSTATUS(status));
}

void run_in_child(void (*run)(void)) {
    fflush(NULL);
    const pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        run();
        fflush(NULL);
        _exit(0);
    }
    join_child(pid);
}

pid_t start_interrupter(void (*finish)(void)) {
    const pid_t parent = getpid();
    const pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        for (int i = 0; i < INTERRUPTS || finish == NULL; i++) {
            usleep(INTERRUPT_INTERVAL_US);
            if (kill(parent, SIGUSR1) != 0) {
                _exit(1);
            }
        }
        usleep(INTERRUPT_INTERVAL_US);
        finish();
        _exit(0);
    }
    return pid;
}

void stop_interrupter(pid_t pid) {
    CHECK_EQ(0, kill(pid, SIGKILL));
    while (waitpid(pid, NULL, 0) == -1 && errno == EINTR) {
        /* its last signal */
    }
}

static void count_interrupt(int signal_number __attribute__((unused))) {
    interrupt_count++;
}

void catch_interrupts(void) {
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_handler = count_interrupt;
    sigemptyset(&action.sa_mask);
    CHECK_EQ(0, sigaction(SIGUSR1, &action, NULL));
    interrupt_count = 0;
}

int interrupts(void) {
    return interrupt_count;
}
