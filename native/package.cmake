# Copyright 2026 The vsock-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Makes the content of one platform's jar: the library without debugging information, and properties that describe it. The
# loader checks the SHA-256 (io.vsockproxy.posix.NativeResource).
# usage: cmake -DLIBRARY=... -DSTRIP=... -DPLATFORM=linux-... -DVERSION=... -DLICENSE=... -DDIRECTORY=... -P package.cmake
set(destination "${DIRECTORY}/META-INF/native/${PLATFORM}")
file(REMOVE_RECURSE "${DIRECTORY}")
file(MAKE_DIRECTORY "${destination}")

execute_process(
    COMMAND "${STRIP}" --strip-unneeded -o "${destination}/libvsockproxy.so" "${LIBRARY}"
    RESULT_VARIABLE status)
if(NOT status EQUAL 0)
    message(FATAL_ERROR "${STRIP} ${LIBRARY}: ${status}")
endif()
file(SHA256 "${destination}/libvsockproxy.so" digest)
file(WRITE "${destination}/libvsockproxy.properties"
    "# What libvsockproxy.so beside this file is.\nversion=${VERSION}\nplatform=${PLATFORM}\nsha256=${digest}\n")
configure_file("${LICENSE}" "${DIRECTORY}/META-INF/LICENSE" COPYONLY)
