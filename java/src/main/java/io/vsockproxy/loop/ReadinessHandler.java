/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.loop;

/**
 * What is called when a registered descriptor is ready.
 */
@FunctionalInterface
public interface ReadinessHandler {
    /**
     * The descriptor is ready. Must not block.
     *
     * @param events EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP, EPOLLRDHUP. The last three may come unasked.
     */
    void onReady(int events);
}
