# Copyright 2026 The vsock-proxy authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For bin/demo and bin/test, which read it in: finds or installs what a build needs, and builds. The caller has set $root
# to the checkout and uses set -eu.

min_jdk=17
: "${root:?}"

# What run_quietly waits for, to be ended with the script.
quiet_process=

# Says $1 and ends.
die() {
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    exit 1
}

# The major version of the JDK in directory $1, or 0 when there is none that can compile.
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
        [ "$version" -ge "$min_jdk" ] || die "JAVA_HOME=$JAVA_HOME is no JDK of version $min_jdk or later"
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

# Installs what is missing, by apt where that is possible; elsewhere names it and ends.
install_missing() {
    local names=() packages=() apt=() jdk_package=openjdk-17-jdk-headless log
    find_jdk || { names+=("a JDK, $min_jdk or later"); packages+=("$jdk_package"); }
    command -v mvn > /dev/null || { names+=(Maven); packages+=(maven); }
    command -v cmake > /dev/null || { names+=("CMake, 3.16 or later"); packages+=(cmake); }
    if ! command -v cc > /dev/null || ! command -v make > /dev/null || ! echo '#include <stdio.h>' | cc -E - > /dev/null 2>&1
    then
        names+=("a C compiler, its headers and make")
        packages+=(gcc libc6-dev make)
    fi
    [ ${#packages[@]} -gt 0 ] || return 0

    if command -v apt-get > /dev/null; then
        if [ "$(id -u)" -eq 0 ]; then
            apt=(env DEBIAN_FRONTEND=noninteractive apt-get)
        elif command -v sudo > /dev/null && sudo -n true 2> /dev/null; then
            apt=(sudo -n env DEBIAN_FRONTEND=noninteractive apt-get)
        fi
    fi
    if [ ${#apt[@]} -eq 0 ]; then
        echo "$(basename "$0"): missing, and not to be installed from here:" >&2
        printf '  %s\n' "${names[@]}" >&2
        echo "On Debian, as root: apt-get install ${packages[*]}" >&2
        exit 1
    fi
    log=$(mktemp -t vsock-proxy-apt.XXXXXX)
    run_quietly "installing ${packages[*]}" "$log" "${apt[@]}" -q update
    if [[ " ${packages[*]} " == *" $jdk_package "* ]] && ! apt-cache show "$jdk_package" > /dev/null 2>&1; then
        # Debian's releases differ in which they have.
        packages=("${packages[@]/$jdk_package/default-jdk-headless}")
    fi
    run_quietly "installing ${packages[*]}" "$log" \
        "${apt[@]}" -q -y --no-install-recommends install ca-certificates "${packages[@]}"
    rm -f "$log"
    find_jdk || die "the JDK that apt installed is older than $min_jdk"
}

# Runs a command that says much: title $1, log $2, the command after that. On a terminal a line counts the seconds; the log's
# end is shown when it fails.
run_quietly() {
    local title=$1 log=$2 start=$SECONDS status=0
    shift 2
    [ -t 1 ] || printf '  ..  %s\n' "$title"
    "$@" >> "$log" 2>&1 < /dev/null &
    quiet_process=$!
    while [ -t 1 ] && kill -0 "$quiet_process" 2> /dev/null; do
        printf '\r\033[K  ..  %s, %d s' "$title" $((SECONDS - start))
        sleep 0.5
    done
    wait "$quiet_process" || status=$?
    quiet_process=
    if [ -t 1 ]; then printf '\r\033[K'; fi
    if [ "$status" -ne 0 ]; then
        printf '  FAILED  %s (%d s); the end of %s:\n' "$title" $((SECONDS - start)) "$log" >&2
        tail -n 40 "$log" >&2
        return "$status"
    fi
    printf '  ok  %s (%d s)\n' "$title" $((SECONDS - start))
}

# Ends what run_quietly waits for, if anything.
stop_quiet_process() {
    if [ -n "$quiet_process" ]; then
        kill "$quiet_process" 2> /dev/null || :
        wait "$quiet_process" 2> /dev/null || :
        quiet_process=
    fi
}

# Builds, unless nothing has changed since the last time.
build() {
    local stamp=$root/java/target/built log jar
    if [ -f "$stamp" ] && [ -f "$root/java/target/native/libvsockproxy.so" ] && [ -d "$root/bench/target/lib" ] \
        && [ -z "$(cd "$root" && find pom.xml checkstyle.xml CMakeLists.txt .mvn proto java native bench \
            -name target -prune -o -newer "$stamp" -print -quit)" ]; then
        return 0
    fi
    mkdir -p "$root/java/target"
    log=$root/java/target/build.log
    : > "$log"
    touch "$stamp.begun"
    run_quietly "building" "$log" mvn -B -q -f "$root/pom.xml" package -DskipTests
    jar=$(find "$root/java/target" -maxdepth 1 -name 'vsock-proxy-*.jar' -print -quit)
    [ -n "$jar" ] || die "the build has made no jar"
    share_classes
    mv -f "$stamp.begun" "$stamp"
}

# Makes the archives that bin/vsock-proxy starts faster with; without them it starts all the same.
share_classes() {
    "$root/java/src/build/share-classes.sh" > /dev/null || echo "  (no class archive: proxies start a little slower)"
}
