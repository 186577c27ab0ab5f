# Copyright 2026 The vsock-proxy authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For the scripts beside it, which read it in: Debian packages, unpacked and not installed.

# What bin/test --vm and --vm-pair end with where no machine can be had: nothing has been tested.
# shellcheck disable=SC2034 # For those who read this in.
not_possible=77

# Where packages are kept, unpacked.
vm_cache=${XDG_CACHE_HOME:-$HOME/.cache}/vsock-proxy/vm

# Unpacks Debian packages $2... into one directory below $vm_cache of name $1, whose path it prints. Those that are
# there stay as they are. False, having said why, when they cannot be had. With --with-dependencies before the rest, those
# packages too that they need and this machine does not have.
fetch_packages() (
    local with_dependencies=false directory work package
    if [ "$1" = --with-dependencies ]; then
        with_dependencies=true
        shift
    fi
    directory=$vm_cache/$1
    shift
    if [ -f "$directory/complete" ]; then
        echo "$directory"
        return 0
    fi
    for package in apt-get dpkg; do
        command -v "$package" > /dev/null || { echo "no $package to fetch $* with" >&2; return 1; }
    done
    mkdir -p "$vm_cache"
    work=$(mktemp -d "$vm_cache/fetch.XXXXXX")
    trap 'rm -rf -- "$work"' EXIT
    mkdir "$work/root"
    cd "$work" || return
    # shellcheck disable=SC2317 # Called below.
    download() {
        local dependencies=()
        if [ "$with_dependencies" = true ]; then
            apt-get -q -s --no-install-recommends install "$@" > simulated || return
            mapfile -t dependencies < <(sed -n 's/^Inst \([^ ]*\).*/\1/p' simulated)
        fi
        apt-get -q download "$@" "${dependencies[@]}"
    }
    if ! download "$@" > log 2>&1; then
        # A machine that has just been made has no lists of packages.
        if [ "$(id -u)" -eq 0 ]; then apt-get -q update >> log 2>&1 || :; fi
        if ! download "$@" >> log 2>&1; then
            echo "cannot fetch $*:" >&2
            tail -n 3 log >&2
            return 1
        fi
    fi
    for package in *.deb; do
        dpkg -x "$package" root
    done
    touch root/complete
    # Somebody else may have been quicker.
    mv -T root "$directory" 2> /dev/null || [ -f "$directory/complete" ]
    echo "$directory"
)
