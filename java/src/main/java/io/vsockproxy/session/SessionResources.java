/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.config.Extensions;
import io.vsockproxy.config.SessionLimits;
import io.vsockproxy.file.FileWindows;
import io.vsockproxy.file.FileWorkers;
import io.vsockproxy.fuse.FuseMount;
import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.stream.ChannelCommons;
import io.vsockproxy.stream.StreamCommons;

/**
 * What all sessions of one proxy share.
 *
 * @param loop          turns them.
 * @param host          whether this side makes up positive handles and cookies (the host) or negative ones (the guest).
 * @param limits        what each peer is held to.
 * @param extensions    what is agreed with a peer of our kind.
 * @param commons       what all streams share.
 * @param acceptors     the names that components of this process stand for.
 * @param channels      what all channels share.
 * @param workers       wait for disks.
 * @param windows       map files of this side.
 * @param mount         where files of the other side appear; null where there is no such place.
 */
public record SessionResources(
    EventLoop loop,
    boolean host,
    SessionLimits limits,
    Extensions extensions,
    StreamCommons commons,
    ChannelAcceptors acceptors,
    ChannelCommons channels,
    FileWorkers workers,
    FileWindows windows,
    FuseMount mount) {
}
