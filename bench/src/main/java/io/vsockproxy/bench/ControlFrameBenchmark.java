/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.bench;

import com.google.protobuf.CodedOutputStream;
import io.vsockproxy.proto.PreadRequest;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.wire.FrameDescriptor;
import io.vsockproxy.wire.MessageDecoder;
import io.vsockproxy.wire.MessageEncoder;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.agrona.concurrent.UnsafeBuffer;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What a message without a blob costs to read and to write, with our code and with protobuf-java: a request to read a
 * file.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
    value = 1,
    jvmArgsAppend = {
        "--add-exports", "java.base/jdk.internal.misc=ALL-UNNAMED", "--enable-native-access=ALL-UNNAMED",
        "-XX:+UseSerialGC"
    })
public class ControlFrameBenchmark {
    private static final long COOKIE = 77;
    private static final long HANDLE = 12_345;
    private static final long COUNT = 131_072;
    private static final long OFFSET = 1L << 33;

    private final MessageDecoder decoder = new MessageDecoder(0);
    private final byte[] body = message().toByteArray();
    private final UnsafeBuffer inbound = new UnsafeBuffer(body);
    private final byte[] out = new byte[FrameDescriptor.SIZE_LENGTH + body.length];
    private final UnsafeBuffer outbound = new UnsafeBuffer(out);

    /** Reads with the engine's decoder. */
    @Benchmark
    public long decode() {
        decoder.wrap(inbound, 0, inbound.capacity());
        return decoder.cookie() + decoder.handle() + decoder.count() + decoder.fileOffset();
    }

    /** Reads with protobuf-java. */
    @Benchmark
    public long decodeProtobuf() throws IOException {
        final PreadRequest request = VSockMessage.parseFrom(body).getPreadRequest();
        return request.getCookie() + request.getHandle() + request.getCount() + request.getOffset();
    }

    /** Writes with the engine's encoder. */
    @Benchmark
    public int encode() {
        return MessageEncoder.preadRequest(outbound, 0, COOKIE, HANDLE, COUNT, OFFSET);
    }

    /** Writes with protobuf-java. */
    @Benchmark
    public byte[] encodeProtobuf() throws IOException {
        final VSockMessage message = message();
        FrameDescriptor.bodyLength(outbound, 0, message.getSerializedSize());
        final CodedOutputStream output = CodedOutputStream.newInstance(
            out, FrameDescriptor.SIZE_LENGTH, out.length - FrameDescriptor.SIZE_LENGTH);
        message.writeTo(output);
        output.flush();
        return out;
    }

    private static VSockMessage message() {
        return VSockMessage.newBuilder()
            .setPreadRequest(
                PreadRequest.newBuilder().setCookie(COOKIE).setHandle(HANDLE).setCount(COUNT).setOffset(OFFSET))
            .build();
    }
}
