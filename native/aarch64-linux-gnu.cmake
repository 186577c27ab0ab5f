# Copyright 2026 The vsock-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Toolchain: Linux on AArch64, by Debian's cross compiler (gcc-aarch64-linux-gnu, libc6-dev-arm64-cross). The tests run
# under qemu-aarch64 (qemu-user) where that is installed.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)

find_program(QEMU_AARCH64 NAMES qemu-aarch64 qemu-aarch64-static)
if(QEMU_AARCH64)
    set(CMAKE_CROSSCOMPILING_EMULATOR "${QEMU_AARCH64}" -L /usr/aarch64-linux-gnu)
endif()
