/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.endtoend;

import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;

/**
 * A relay written in the usual way with Netty's epoll transport: it listens on one unix socket, connects each accepted
 * connection to another, and forwards bytes in both directions as they arrive. It has one event loop, and reads from
 * one side only while the other has room.
 */
public final class NettyRelay {
    private NettyRelay() {
    }

    /**
     * Runs until it is killed.
     *
     * @param arguments the path to listen on, the path to connect to.
     */
    public static void main(final String[] arguments) throws InterruptedException {
        final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        final DomainSocketAddress target = new DomainSocketAddress(arguments[1]);
        new ServerBootstrap()
            .group(group)
            .channel(EpollServerDomainSocketChannel.class)
            .childOption(ChannelOption.AUTO_READ, false)
            .childHandler(new ChannelInitializer<Channel>() {
                @Override
                protected void initChannel(final Channel near) {
                    connect(near, target);
                }
            })
            .bind(new DomainSocketAddress(arguments[0])).sync()
            .channel().closeFuture().sync();
    }

    private static void connect(final Channel near, final DomainSocketAddress target) {
        new Bootstrap()
            .group(near.eventLoop())
            .channel(EpollDomainSocketChannel.class)
            .option(ChannelOption.AUTO_READ, false)
            .handler(new ChannelInitializer<Channel>() {
                @Override
                protected void initChannel(final Channel far) {
                    far.pipeline().addLast(new PassOn(near));
                    near.pipeline().addLast(new PassOn(far));
                }
            })
            .connect(target)
            .addListener(connected -> {
                if (connected.isSuccess()) {
                    near.config().setAutoRead(true);
                } else {
                    near.close();
                }
            });
    }

    /** Writes what one connection receives to the other. */
    private static final class PassOn extends ChannelInboundHandlerAdapter {
        private final Channel other;

        PassOn(final Channel other) {
            this.other = other;
        }

        @Override
        public void channelActive(final ChannelHandlerContext context) {
            context.channel().config().setAutoRead(true);
        }

        @Override
        public void channelRead(final ChannelHandlerContext context, final Object message) {
            other.write((ByteBuf) message, other.voidPromise());
        }

        @Override
        public void channelReadComplete(final ChannelHandlerContext context) {
            other.flush();
            if (!other.isWritable()) {
                context.channel().config().setAutoRead(false);
            }
        }

        @Override
        public void channelWritabilityChanged(final ChannelHandlerContext context) {
            other.config().setAutoRead(context.channel().isWritable());
        }

        @Override
        public void channelInactive(final ChannelHandlerContext context) {
            other.close();
        }

        @Override
        public void exceptionCaught(final ChannelHandlerContext context, final Throwable cause) {
            context.close();
        }
    }
}
