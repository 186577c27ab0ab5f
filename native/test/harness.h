/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */

/* A minimal test framework: checks that print their line, and a count of open descriptors before and after each test. */
#ifndef VSOCKPROXY_HARNESS_H
#define VSOCKPROXY_HARNESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shim.h"

/* The JVM's two arguments, which the shim's functions ignore. */
#define NO_JVM NULL, NULL

#define ADDRESS(pointer) ((jlong)(uintptr_t)(pointer))

#define CHECK(condition) check_true((condition) != 0, #condition, __FILE__, __LINE__)
#define CHECK_EQ(expected, actual) check_equal((long)(expected), (long)(actual), #actual, __FILE__, __LINE__)

typedef struct {
    const char *name;
    void (*run)(void);
} test_case;

#define TEST(function) { #function, function }
#define RUN_TESTS(tests) run_tests(tests, sizeof(tests) / sizeof((tests)[0]))

void check_true(int condition, const char *text, const char *file, int line);
void check_equal(long expected, long actual, const char *text, const char *file, int line);

/* Runs each with the number of open descriptors compared before and after; returns the process's exit code. */
int run_tests(const test_case *tests, size_t count);

/* Entries of /proc/self/fd. */
int open_descriptors(void);

/* Checks that a descriptor is open and has FD_CLOEXEC. */
void check_cloexec(int fd);

void close_both(const int pair[2]);

/* Runs a function in a child process; a check that fails there fails here. */
void run_in_child(void (*run)(void));

/*
 * Starts a child that sends SIGUSR1 to this process every 20 ms: five times, after which it runs finish and exits; or until
 * it is stopped if finish is NULL.
 */
pid_t start_interrupter(void (*finish)(void));
void stop_interrupter(pid_t pid);

/* Waits for a child, and checks that it exits with 0. */
void join_child(pid_t pid);

/* Counts SIGUSR1, starting from 0. Installed without SA_RESTART, so that blocked calls fail with EINTR. */
void catch_interrupts(void);
int interrupts(void);

#endif
