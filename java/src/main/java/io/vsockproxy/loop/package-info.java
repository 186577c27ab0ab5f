/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * The event loop: readiness (epoll), timers, work put off to the end of a turn, and commands from other threads.
 *
 * <p>One thread turns a loop, and only it may call anything here, except {@link io.vsockproxy.loop.EventLoop#execute},
 * {@link io.vsockproxy.loop.EventLoop#wakeUp} and the checks of the calling thread.
 */
package io.vsockproxy.loop;
