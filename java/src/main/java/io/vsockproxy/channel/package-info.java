/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * Channels: a component in this process talks to an application (or a component) of the other side, with no local
 * socket in between. What it sends goes straight into the engine's outbound ring; what it receives is read where it
 * came in.
 *
 * <p>Public API. {@link io.vsockproxy.VsockProxy#connect} and {@link io.vsockproxy.VsockProxy.Context#accept} make
 * channels; everything else here is what is done with one.
 *
 * <p>Threads: one thread turns the engine ({@link io.vsockproxy.VsockProxy#launch launch}: its own; {@link
 * io.vsockproxy.VsockProxy#embed embed}: the component's). All callbacks come on that thread, and all methods must be
 * called on it, but for those of {@link io.vsockproxy.channel.ChannelSender}, which any thread may call. No callback
 * may block: everything else of the proxy waits for it. A callback may call any method, of its own channel or another.
 *
 * <p>Descriptors are {@link io.vsockproxy.posix.OwnedFd}s: exactly one owner at a time closes each. Regular files of
 * the other side are {@link io.vsockproxy.channel.RemoteFile}s.
 */
package io.vsockproxy.channel;
