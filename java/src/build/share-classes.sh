#!/bin/sh
# Copyright 2026 The vsock-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Makes the archive of parsed classes with which bin/vsock-proxy starts faster: it runs a host and a guest once, and the
# guest archives its loaded classes as it stops. This is only an optimisation, so a failure here never fails a build.
# JAVA_HOME chooses the JDK, as for bin/vsock-proxy.
set -eu
self=$(readlink -f -- "$0")
root=${self%/java/src/build/*}

directory=$(mktemp -d)
host=
guest=
finish() {
    for process in $guest $host; do
        kill "$process" 2>/dev/null || :
    done
    rm -rf "$directory"
}
trap finish EXIT
trap 'exit 1' INT TERM

# Waits until file $1 says that process $2 is ready: 20 s at most.
await_ready() {
    tries=400
    until grep -q '^ready:' "$1"; do
        tries=$((tries - 1))
        if [ "$tries" -eq 0 ] || ! kill -0 "$2" 2>/dev/null; then
            echo "share-classes: a proxy did not become ready; the start will take a little longer" >&2
            exit 0
        fi
        sleep 0.05
    done
}

: > "$directory/host.out"
: > "$directory/guest.out"
"$root/bin/vsock-proxy" host --listen "unix:$directory/link" > "$directory/host.out" 2> "$directory/log" &
host=$!
await_ready "$directory/host.out" "$host"
VSOCK_PROXY_SHARE_CLASSES=yes "$root/bin/vsock-proxy" guest \
    --connect "unix:$directory/link" --forward "$directory/local=$directory/remote" \
    > "$directory/guest.out" 2> "$directory/log" &
guest=$!
await_ready "$directory/guest.out" "$guest"
kill "$guest"
wait "$guest" || :
guest=
