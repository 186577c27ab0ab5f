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
 * What all sessions of one proxy share. The proxy owns all of it.
 *
 * @param loop          the loop they run on.
 * @param host          whether this side is the host, which assigns positive handles and cookies; the guest's are
 *                      negative.
 * @param limits        what each peer may use up.
 * @param extensions    what to agree on with a peer that knows the protocol's extension.
 * @param commons       what all streams share.
 * @param acceptors     the names of components that the other side may connect to.
 * @param channels      what all channels share.
 * @param workers       the threads that wait for disks.
 * @param windows       mapped ranges of files of this side.
 * @param mount         the mount for files of the other side; null when there is none.
 * @param log           the rate-limited log, for events that peers and applications can cause as often as they like.
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
     * Creates a session's link.
     *
     * @param parts              gets every part, to be closed in case the session cannot be created.
     * @param socket             the connection. The link takes ownership.
     * @param carriesDescriptors whether descriptors can be attached: it is AF_UNIX.
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
            // AF_VSOCK would copy what is spliced; before Linux 6.5 page by page, with a packet for each.
            carriesDescriptors ? parts.add(SplicePipe.open(SplicePipe.OUTBOUND_CAPACITY, reserve)) : null,
            handler));
    }
}
