/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import com.sun.jna.LastErrorException;
import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import com.sun.jna.Pointer;
import com.sun.jna.StringArray;
import java.util.Map;

/**
 * Functions of the C library that are called only when mounting and unmounting, through JNA, which is loaded with this
 * class.
 */
@SuppressWarnings("checkstyle:MethodName") // The names are the C library's.
interface LibC extends Library {
    /** Loaded at the first use. */
    LibC INSTANCE = Native.load(null, LibC.class, Map.of(Library.OPTION_STRING_ENCODING, "UTF-8"));

    /** mount(2). */
    int mount(String source, String target, String type, NativeLong flags, String data) throws LastErrorException;

    /** umount2(2). */
    int umount2(String target, int flags) throws LastErrorException;

    /** getuid(2). */
    int getuid();

    /** getgid(2). */
    int getgid();

    /** posix_spawnp(3): returns an errno. */
    int posix_spawnp(
        Pointer pid, String file, Pointer actions, Pointer attributes, StringArray arguments, StringArray environment);

    /** posix_spawn_file_actions_init(3). */
    int posix_spawn_file_actions_init(Pointer actions);

    /** posix_spawn_file_actions_adddup2(3). */
    int posix_spawn_file_actions_adddup2(Pointer actions, int fd, int newFd);

    /** posix_spawn_file_actions_destroy(3). */
    int posix_spawn_file_actions_destroy(Pointer actions);

    /** waitpid(2). */
    int waitpid(int pid, Pointer status, int options) throws LastErrorException;
}
