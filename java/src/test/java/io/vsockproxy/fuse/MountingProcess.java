/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.loop.EventLoop;
import java.nio.file.Path;
import java.util.concurrent.Executors;

/** Mounts on the directory it is given, says so, and serves until it is killed. */
public final class MountingProcess {
    private MountingProcess() {
    }

    /** See the class. */
    public static void main(final String[] args) {
        try (EventLoop loop = new EventLoop(0, Fixture::failOn);
            FuseMount mount = FuseMount.mount(loop, Executors.newCachedThreadPool(), Path.of(args[0]), false)) {
            System.out.println("mounted");
            while (mount.isServed()) {
                loop.turn(-1);
            }
        }
    }
}
