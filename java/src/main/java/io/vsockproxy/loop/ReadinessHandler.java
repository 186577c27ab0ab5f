/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.loop;

/**
 * Called when a registered descriptor is ready.
 */
@FunctionalInterface
public interface ReadinessHandler {
    /**
     * The descriptor is ready. Must not block.
     *
     * @param events a combination of EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLERR and EPOLLHUP. The last two come even when
     *               not asked for.
     */
    void onReady(int events);
}
