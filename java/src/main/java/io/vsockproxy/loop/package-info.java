/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * The event loop: readiness (epoll), timers, work put off to the end of a turn, and commands from other threads.
 *
 * <p>One thread turns a loop and is the only one to call anything here, except {@link
 * io.vsockproxy.loop.EventLoop#execute} and {@link io.vsockproxy.loop.EventLoop#wakeUp}.
 */
package io.vsockproxy.loop;
