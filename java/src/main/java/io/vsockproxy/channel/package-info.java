/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * Channels: a component of this process talks to an application (or a component) on the other side with no local socket
 * in between. What it sends goes straight into the engine's outbound ring; what it receives is read where it was
 * received.
 *
 * <p>Public API. Channels come from {@link io.vsockproxy.VsockProxy#connect} and {@link
 * io.vsockproxy.VsockProxy.Context#accept}.
 *
 * <p>Threads: one thread runs the engine ({@link io.vsockproxy.VsockProxy#launch launch}: its own; {@link
 * io.vsockproxy.VsockProxy#embed embed}: the component's). All callbacks come on that thread, and all methods must be
 * called on it, except those of {@link io.vsockproxy.channel.ChannelSender}, which any thread may call. No callback may
 * block: the whole proxy waits for it. A callback may call any method, of its own channel or of another.
 *
 * <p>Descriptors are {@link io.vsockproxy.posix.OwnedFd}s: each has exactly one owner at a time, who closes it. Regular
 * files of the other side are {@link io.vsockproxy.channel.RemoteFile}s.
 */
package io.vsockproxy.channel;
