/* Copyright 2026 The vsock-proxy authors. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "constants.h"
#include "harness.h"

#define PAGES 4

static jlong page_size(void) {
    return sysconf(_SC_PAGESIZE);
}

static jlong map_anonymous(void) {
    const jlong address = vp_mmap(
        NO_JVM, 0, PAGES * page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(address > 0);
    return address;
}

static void should_tell_which_pages_are_resident(void) {
    unsigned char resident[PAGES] = { 0 };
    const jlong address = map_anonymous();
    unsigned char *second = (unsigned char *)(uintptr_t)address + page_size();
    CHECK_EQ(0, vp_mincore(NO_JVM, address, PAGES * page_size(), ADDRESS(resident)));
    CHECK_EQ(0, resident[1] & 1);
    *second = 7;
    CHECK_EQ(0, vp_mincore(NO_JVM, address, PAGES * page_size(), ADDRESS(resident)));
    CHECK_EQ(1, resident[1] & 1);
    CHECK_EQ(0, vp_madvise(NO_JVM, address, PAGES * page_size(), MADV_DONTNEED));
    CHECK_EQ(0, vp_mincore(NO_JVM, address, PAGES * page_size(), ADDRESS(resident)));
    CHECK_EQ(0, resident[1] & 1);
    CHECK_EQ(0, *second);
    CHECK_EQ(0, vp_munmap(NO_JVM, address, PAGES * page_size()));
    CHECK_EQ(-ENOMEM, vp_mincore(NO_JVM, address, PAGES * page_size(), ADDRESS(resident)));
}

static void should_fault_pages_in_or_report_where_there_is_nothing_to_fault(void) {
    unsigned char resident[PAGES] = { 0 };
    const jlong address = map_anonymous();
    const jint result = vp_madvise(NO_JVM, address, PAGES * page_size(), MADV_POPULATE_READ);
    /* Linux 5.14 and later. */
    CHECK(result == 0 || result == -EINVAL);
    if (result == 0) {
        CHECK_EQ(0, vp_mincore(NO_JVM, address, PAGES * page_size(), ADDRESS(resident)));
        CHECK_EQ(1, resident[PAGES - 1] & 1);
    }
    CHECK_EQ(0, vp_munmap(NO_JVM, address, PAGES * page_size()));
    CHECK_EQ(-ENOMEM, vp_madvise(NO_JVM, address, PAGES * page_size(), MADV_DONTNEED));
}

static void should_map_a_file_at_an_offset(void) {
    const char *name = "/proc/self/exe";
    char magic[4];
    const int fd = vp_open(NO_JVM, ADDRESS(name), O_RDONLY | O_CLOEXEC, 0);
    CHECK(fd >= 0);
    const jlong address = vp_mmap(NO_JVM, 0, page_size(), PROT_READ, MAP_SHARED, fd, 0);
    CHECK(address > 0);
    memcpy(magic, (const void *)(uintptr_t)address, sizeof(magic));
    CHECK(memcmp("\177ELF", magic, sizeof(magic)) == 0);
    CHECK_EQ(-EINVAL, vp_mmap(NO_JVM, 0, page_size(), PROT_READ, MAP_SHARED, fd, 1));
    const jlong further = vp_mmap(NO_JVM, 0, page_size(), PROT_READ, MAP_SHARED, fd, page_size());
    CHECK(further > 0);
    CHECK_EQ(0, vp_munmap(NO_JVM, further, page_size()));
    CHECK_EQ(0, vp_munmap(NO_JVM, address, page_size()));
    CHECK_EQ(0, vp_close(NO_JVM, fd));
}

static void should_answer_errors_as_negative_numbers(void) {
    CHECK_EQ(-EBADF, vp_mmap(NO_JVM, 0, page_size(), PROT_READ, MAP_SHARED, -1, 0));
    CHECK_EQ(-EINVAL, vp_mmap(NO_JVM, 0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    CHECK_EQ(-ENOMEM, vp_mmap(NO_JVM, 0, -page_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    CHECK_EQ(-EINVAL, vp_munmap(NO_JVM, 1, page_size()));
}

int main(void) {
    static const test_case tests[] = {
        TEST(should_tell_which_pages_are_resident),
        TEST(should_fault_pages_in_or_report_where_there_is_nothing_to_fault),
        TEST(should_map_a_file_at_an_offset),
        TEST(should_answer_errors_as_negative_numbers),
    };
    return RUN_TESTS(tests);
}
