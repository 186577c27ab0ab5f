#!/bin/sh
# Copyright 2026 The vsock-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Checks that the library exports only JNI_OnLoad and JNI_OnUnload, and needs only libc, with nothing newer than glibc 2.17.
# usage: check_library.sh <nm> <readelf> <libvsockproxy.so>
set -eu
nm=$1
readelf=$2
library=$3

exported=$("$nm" -D --defined-only "$library" | awk '{ print $3 }' | LC_ALL=C sort | tr '\n' ' ')
if [ "$exported" != "JNI_OnLoad JNI_OnUnload " ]; then
    echo "exported symbols: expected=JNI_OnLoad JNI_OnUnload, actual=$exported" >&2
    exit 1
fi

needed=$("$readelf" -dW "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p' | tr '\n' ' ')
case $needed in
"libc.so.6 " | "libc.so " | libc.musl-*.so.1\ ) ;;
*)
    echo "needed libraries: expected=libc, actual=$needed" >&2
    exit 1
    ;;
esac

newest=$("$readelf" -VW "$library" | grep -o 'GLIBC_[A-Za-z0-9_.]*' | sort -u -t_ -k2V | tail -n 1)
if [ "$(printf '%s\n' "$newest" GLIBC_2.17 | sort -t_ -k2V | tail -n 1)" != GLIBC_2.17 ]; then
    echo "symbol versions: at most GLIBC_2.17, actual=$newest" >&2
    exit 1
fi
