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
import io.vsockproxy.link.InboundBuffer;
import io.vsockproxy.link.Link;
import io.vsockproxy.link.LinkHandler;
import io.vsockproxy.link.OutboundRing;
import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.DescriptorReserve;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Parts;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.SplicePipe;
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
 * @param log           tells people what peers and applications may cause as often as they like.
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
    FuseMount mount,
    RepeatedLog log) {

    /**
     * Makes a session's link.
     *
     * @param parts              is given all of it, for when the session cannot be made.
     * @param socket             connected. The link takes ownership.
     * @param carriesDescriptors whether it is AF_UNIX.
     * @throws PosixException when there is no memory for it.
     */
    Link openLink(
        final Parts parts, final OwnedFd socket, final boolean carriesDescriptors, final LinkHandler handler) {
        final DescriptorReserve reserve = commons.reserve();
        return parts.add(new Link(
            loop, socket, carriesDescriptors,
            parts.add(new InboundBuffer(limits.inboundWindowLength(), limits.maxFrameLength() + Long.BYTES)),
            parts.add(new OutboundRing(limits.outboundLength(), limits.outboundDataLimit())),
            parts.add(SplicePipe.open(SplicePipe.INBOUND_CAPACITY, reserve)),
            // AF_VSOCK would copy what is spliced, before Linux 6.5 page by page, each a packet of its own.
            carriesDescriptors ? parts.add(SplicePipe.open(SplicePipe.OUTBOUND_CAPACITY, reserve)) : null,
            handler));
    }
}
