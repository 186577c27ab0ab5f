# Copyright 2026 The vsock-proxy authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Sourced by the scripts beside it: fetches Debian packages and unpacks them without installing them.

# The exit status of bin/test --vm and --vm-pair where no virtual machine can be started: nothing has been tested.
# shellcheck disable=SC2034 # Used by the scripts that source this.
not_possible=77

# Where unpacked packages are kept.
vm_cache=${XDG_CACHE_HOME:-$HOME/.cache}/vsock-proxy/vm

# Unpacks Debian packages $2... into directory $1 below $vm_cache, unless that exists, and prints its path. Fails with a
# message when the packages cannot be fetched. With --with-dependencies as the first argument, also unpacks the packages that
# they depend on and that are not installed on this machine.
fetch_packages() (
    local with_dependencies=false directory directory_name work package
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
        command -v "$package" > /dev/null || { echo "cannot fetch $*: $package is not installed" >&2; return 1; }
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
        # A freshly installed machine has no package lists yet.
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
    # Debian's older packages have /bin/busybox and /lib/modules, newer ones /usr/bin/busybox and /usr/lib/modules.
    for directory_name in bin lib; do
        if [ ! -e "root/$directory_name" ]; then ln -s "usr/$directory_name" "root/$directory_name"; fi
    done
    touch root/complete
    # Another process may have been faster.
    mv -T root "$directory" 2> /dev/null || [ -f "$directory/complete" ]
    echo "$directory"
)
