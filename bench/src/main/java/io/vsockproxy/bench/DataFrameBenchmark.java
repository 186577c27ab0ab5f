/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.bench;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.UnsafeByteOperations;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.proto.Data;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.wire.DataHeader;
import io.vsockproxy.wire.FrameDescriptor;
import io.vsockproxy.wire.MessageDecoder;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.agrona.concurrent.UnsafeBuffer;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What a Data frame costs to read and to write, with our code and with protobuf-java.
 *
 * <p>Reading: our code leaves the blob in the buffer, as protobuf does with aliasing; without it, protobuf copies the
 * blob. Writing: our code puts the header in front of a blob that is already in the ring; {@link #encodeWithCopy} also
 * copies the blob there, which protobuf cannot avoid.
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
public class DataFrameBenchmark {
    private static final long HANDLE = 12_345;
    private static final int MAX_DESCRIPTORS = 253;

    /** Bytes of the blob. */
    @Param({"16", "64", "1024", "65536"})
    private int length;

    private final MessageDecoder decoder = new MessageDecoder(MAX_DESCRIPTORS);
    private Memory ring;
    private byte[] blob;
    private byte[] body;
    private byte[] out;
    private UnsafeBuffer frame;
    private UnsafeBuffer inbound;

    /** Makes the same message for both. */
    @Setup
    public void make() {
        blob = new byte[length];
        new Random(1).nextBytes(blob);
        body = message().toByteArray();
        out = new byte[FrameDescriptor.SIZE_LENGTH + body.length];
        frame = new UnsafeBuffer(out);
        ring = Memory.allocate(DataHeader.MAX_LENGTH + length);
        inbound = new UnsafeBuffer(ByteBuffer.allocateDirect(body.length).put(body).flip());
    }

    /** Reads with the engine's decoder, from memory outside the heap. */
    @Benchmark
    public long decode() {
        decoder.wrap(inbound, 0, inbound.capacity());
        return decoder.handle() + decoder.blobOffset() + decoder.blobLength();
    }

    /** Reads with protobuf-java, from an array, which it is quickest at. */
    @Benchmark
    public long decodeProtobuf() throws IOException {
        final Data data = VSockMessage.parseFrom(body).getData();
        return data.getHandle() + data.getBlob().size();
    }

    /** Reads with protobuf-java, which may refer to the bytes instead of copying them. */
    @Benchmark
    public long decodeProtobufAliased() throws IOException {
        // From an array that might change, it would copy in spite of aliasing.
        final CodedInputStream input = UnsafeByteOperations.unsafeWrap(body).newCodedInput();
        input.enableAliasing(true);
        final Data data = VSockMessage.parseFrom(input).getData();
        return data.getHandle() + data.getBlob().size();
    }

    /** Writes the header in front of a blob that is there. */
    @Benchmark
    public int encode() {
        return DataHeader.encodeBefore(ring.buffer(), DataHeader.MAX_LENGTH, HANDLE, length, 0);
    }

    /** Copies the blob, and writes the header in front of it. */
    @Benchmark
    public int encodeWithCopy() {
        ring.buffer().putBytes(DataHeader.MAX_LENGTH, blob, 0, length);
        return DataHeader.encodeBefore(ring.buffer(), DataHeader.MAX_LENGTH, HANDLE, length, 0);
    }

    /** Writes with protobuf-java: size, and message from the same bytes. */
    @Benchmark
    public byte[] encodeProtobuf() throws IOException {
        final VSockMessage message = message();
        FrameDescriptor.bodyLength(frame, 0, message.getSerializedSize());
        final CodedOutputStream output = CodedOutputStream.newInstance(
            out, FrameDescriptor.SIZE_LENGTH, out.length - FrameDescriptor.SIZE_LENGTH);
        message.writeTo(output);
        output.flush();
        return out;
    }

    private VSockMessage message() {
        return VSockMessage.newBuilder()
            .setData(Data.newBuilder().setHandle(HANDLE).setBlob(ByteString.copyFrom(blob)))
            .build();
    }
}
