# Copyright 2026 The vsock-proxy authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Sourced by the commands beside it: finds or installs what a build needs, and builds. The caller has set $root to the
# checkout and uses set -eu.

min_jdk=17
: "${root:?}"

# The process that run_quietly waits for, to be ended with the script.
quiet_process=

# Prints $1 as an error and exits.
die() {
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    exit 1
}

# The major version of the JDK in directory $1, or 0 when there is no JDK with a compiler.
jdk_version() {
    local key value
    if [ ! -x "$1/bin/javac" ] || [ ! -x "$1/bin/java" ]; then
        echo 0
        return
    fi
    if [ -r "$1/release" ]; then
        while IFS='=' read -r key value; do
            if [ "$key" = JAVA_VERSION ]; then
                value=${value//\"/}
                value=${value#1.}
                echo "${value%%[!0-9]*}"
                return
            fi
        done < "$1/release"
    fi
    value=$("$1/bin/javac" -version 2>&1 | sed -n 's/^javac \(1\.\)\?\([0-9]*\).*/\2/p')
    echo "${value:-0}"
}

# Sets JAVA_HOME to a JDK that is new enough: the environment's, that of the javac in PATH, or the newest installed.
# False when there is none.
find_jdk() {
    local candidate javac version best=0
    if [ -n "${JAVA_HOME:-}" ]; then
        version=$(jdk_version "$JAVA_HOME")
        [ "$version" -ge "$min_jdk" ] || die "JAVA_HOME=$JAVA_HOME is not a JDK of version $min_jdk or later"
        export JAVA_HOME
        return 0
    fi
    if javac=$(command -v javac); then
        candidate=$(dirname "$(dirname "$(readlink -f "$javac")")")
        if [ "$(jdk_version "$candidate")" -ge "$min_jdk" ]; then
            export JAVA_HOME=$candidate
            return 0
        fi
    fi
    for candidate in /usr/lib/jvm/*; do
        version=$(jdk_version "$candidate")
        if [ "$version" -ge "$min_jdk" ] && [ "$version" -gt "$best" ]; then
            best=$version
            JAVA_HOME=$candidate
        fi
    done
    [ "$best" -gt 0 ] || return 1
    export JAVA_HOME
}

# Sets apt to the command that installs packages, or to nothing where that would ask for a password.
find_apt() {
    apt=()
    if command -v apt-get > /dev/null; then
        if [ "$(id -u)" -eq 0 ]; then
            apt=(env DEBIAN_FRONTEND=noninteractive apt-get)
        elif command -v sudo > /dev/null && sudo -n true 2> /dev/null; then
            apt=(sudo -n env DEBIAN_FRONTEND=noninteractive apt-get)
        fi
    fi
}

# Installs what is missing with apt where that is possible; elsewhere says what is missing and exits.
install_missing() {
    local names=() packages=() jdk_package=openjdk-17-jdk-headless log
    find_jdk || { names+=("a JDK, $min_jdk or later"); packages+=("$jdk_package"); }
    command -v mvn > /dev/null || { names+=(Maven); packages+=(maven); }
    command -v cmake > /dev/null || { names+=("CMake, 3.16 or later"); packages+=(cmake); }
    if ! command -v cc > /dev/null || ! command -v make > /dev/null || ! echo '#include <stdio.h>' | cc -E - > /dev/null 2>&1
    then
        names+=("a C compiler, its headers and make")
        packages+=(gcc libc6-dev make)
    fi
    [ ${#packages[@]} -gt 0 ] || return 0

    find_apt
    if [ ${#apt[@]} -eq 0 ]; then
        echo "$(basename "$0"): missing, and cannot be installed without root or a sudo that asks no password:" >&2
        printf '  %s\n' "${names[@]}" >&2
        echo "On Debian, as root: apt-get install ${packages[*]}" >&2
        exit 1
    fi
    log=$(mktemp -t vsock-proxy-apt.XXXXXX)
    run_quietly "updating the list of packages" "$log" "${apt[@]}" -q update
    if [[ " ${packages[*]} " == *" $jdk_package "* ]] && ! apt-cache show "$jdk_package" > /dev/null 2>&1; then
        # Debian's releases differ in the JDKs that they have.
        packages=("${packages[@]/$jdk_package/default-jdk-headless}")
    fi
    run_quietly "installing ${packages[*]}" "$log" \
        "${apt[@]}" -q -y --no-install-recommends install ca-certificates "${packages[@]}"
    rm -f "$log"
    find_jdk || die "the JDK that apt installed is older than $min_jdk"
}

# Whether there is a compiler for AArch64, with its C library.
has_cross_compiler() {
    command -v aarch64-linux-gnu-gcc > /dev/null && [ -f /usr/aarch64-linux-gnu/include/stdio.h ]
}

# Installs, where that is possible, what builds the shim for AArch64 on an x86-64 machine and runs its tests there. Whoever
# needs something that is still missing afterwards says so.
install_cross_tools() {
    local packages=() log
    [ "$(uname -m)" = x86_64 ] || return 0
    has_cross_compiler || packages+=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross)
    command -v qemu-aarch64 > /dev/null || packages+=(qemu-user)
    [ ${#packages[@]} -gt 0 ] || return 0
    find_apt
    [ ${#apt[@]} -gt 0 ] || return 0
    log=$(mktemp -t vsock-proxy-apt.XXXXXX)
    if run_quietly "updating the list of packages" "$log" "${apt[@]}" -q update \
        && run_quietly "installing ${packages[*]}" "$log" \
            "${apt[@]}" -q -y --no-install-recommends install "${packages[@]}"
    then
        rm -f "$log"
    fi
}

# Runs a command with its output in a log: title $1, log $2, then the command. On a terminal a line counts the seconds; when
# the command fails, the end of the log is shown.
run_quietly() {
    local title=$1 log=$2 start=$SECONDS status=0
    shift 2
    [ -t 1 ] || printf '  ..  %s\n' "$title"
    "$@" >> "$log" 2>&1 < /dev/null &
    quiet_process=$!
    await_quietly "$title" "$log" "$start" "$quiet_process" || status=$?
    quiet_process=
    return "$status"
}

# Waits for a command that has been started, like run_quietly: title $1, log $2, $SECONDS at its start $3, process $4.
await_quietly() {
    local title=$1 log=$2 start=$3 process=$4 status=0
    while [ -t 1 ] && kill -0 "$process" 2> /dev/null; do
        printf '\r\033[K  ..  %s, %d s' "$title" $((SECONDS - start))
        sleep 0.5
    done
    wait "$process" || status=$?
    if [ -t 1 ]; then printf '\r\033[K'; fi
    if [ "$status" -ne 0 ]; then
        printf '  FAILED  %s (%d s); the end of %s:\n' "$title" $((SECONDS - start)) "$log" >&2
        tail -n 40 "$log" >&2
        return "$status"
    fi
    printf '  ok  %s (%d s)\n' "$title" $((SECONDS - start))
}

# Ends the process that run_quietly waits for, if any.
stop_quiet_process() {
    if [ -n "$quiet_process" ]; then
        kill "$quiet_process" 2> /dev/null || :
        wait "$quiet_process" 2> /dev/null || :
        quiet_process=
    fi
}

# Maven without progress messages. Warnings are shown, because they fail the build (-q would hide them).
package=(mvn -B -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -f "$root/pom.xml" package)

# Builds, unless nothing has changed since the last time.
build() {
    local log=$root/java/target/build.log
    if ! is_built; then
        mkdir -p "$root/java/target"
        : > "$log"
        begin_build
        run_quietly "building" "$log" "${package[@]}" -Dmaven.test.skip=true
        end_build
    fi
    share_classes
}

# Whether the build is newer than everything that it is built from. Directories count too, since a file may have been removed
# (but not those that have a target directory: every build and the fuzzer changes them).
is_built() {
    [ -f "$root/java/target/built" ] && [ -f "$root/java/target/native/libvsockproxy.so" ] \
        && [ -d "$root/bench/target/lib" ] \
        && [ -z "$(cd "$root" && find pom.xml checkstyle.xml CMakeLists.txt .mvn native proto/pom.xml proto/*.proto \
            java/pom.xml java/src bench/pom.xml bench/src -newer java/target/built -print -quit)" ]
}

# A build begins now: changes from here on are not in it.
begin_build() {
    rm -f "$root/java/target/built"
    touch "$root/java/target/building"
}

# The build has succeeded.
end_build() {
    mv -f "$root/java/target/building" "$root/java/target/built"
}

# Makes the class archive with which bin/vsock-proxy starts faster on this JDK, unless it exists; nothing depends on it.
share_classes() {
    local stamp
    stamp=$root/java/target/shared-classes-$(jdk_version "$JAVA_HOME")
    if [ ! "$stamp" -nt "$root/java/target/built" ]; then
        touch "$stamp"
        "$root/java/src/build/share-classes.sh" > /dev/null || :
    fi
}

# Runs class $1, which starts proxies. Its arguments are the launcher, a new directory, and then the remaining arguments of
# this function. Leaves its exit status in $status. The caller's traps call clean_up_driver.
directory=
driver=
run_driver() {
    local class=$1 class_path
    shift
    directory=$(umask 077 && mktemp -d -t vsock-proxy.XXXXXX)
    class_path=$(printf '%s:' "$root"/bench/target/vsock-proxy-bench-*.jar "$root"/bench/target/lib/*.jar)
    # In the background, so that the shell handles a signal at once.
    "$JAVA_HOME/bin/java" \
        -XX:+UseSerialGC -Xmx256m -Xss512k -XX:-UsePerfData \
        --add-exports java.base/jdk.internal.misc=ALL-UNNAMED --enable-native-access=ALL-UNNAMED \
        -Dvsockproxy.native.path="$root/java/target/native/libvsockproxy.so" \
        -cp "${class_path%:}" "$class" "$root/bin/vsock-proxy" "$directory" "$@" < /dev/null &
    driver=$!
    status=0
    wait "$driver" || status=$?
    driver=
}

# Ends the processes that run_driver has started, and removes its directory.
clean_up_driver() {
    local file process
    stop_quiet_process
    if [ -n "$driver" ]; then
        kill "$driver" 2> /dev/null || :
        wait "$driver" 2> /dev/null || :
    fi
    if [ -n "$directory" ]; then
        # The driver stops its proxies, unless it was killed.
        for file in "$directory"/*.pid "$directory"/*/*.pid; do
            [ -f "$file" ] || continue
            process=$(< "$file")
            if grep -qs -a "$directory/" "/proc/$process/cmdline"; then
                kill -KILL "$process" 2> /dev/null || :
            fi
        done
        for file in "$directory"/*-files "$directory"/*/*-files; do
            if grep -qs " $file " /proc/self/mounts; then
                umount -l "$file" 2> /dev/null || fusermount3 -uz "$file" 2> /dev/null || :
            fi
        done
        rm -rf --one-file-system -- "$directory"
    fi
}
