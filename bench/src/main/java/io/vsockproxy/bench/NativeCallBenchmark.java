/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.bench;

import com.sun.jna.Library;
import com.sun.jna.Native;
import io.vsockproxy.posix.Syscalls;
import java.lang.invoke.MethodHandle;
import java.util.concurrent.TimeUnit;
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
 * One cheap system call from Java in each available way: close(2) of a number that is not a descriptor, which the
 * kernel refuses at once (EBADF). Only the cost of the transition differs.
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
public class NativeCallBenchmark {
    private static final int NO_DESCRIPTOR = -1;
    /** A constant, because only then does the JIT compile the call in place. */
    private static final MethodHandle FOREIGN_CLOSE = ForeignFunctions.intToInt("close");

    /** The C library, by an interface of JNA's. */
    public interface CLibrary extends Library {
        /** Loaded with the class. */
        CLibrary INSTANCE = Native.load(null, CLibrary.class);

        /** close(2). */
        int close(int fd);
    }

    /** The C library, by JNA's direct mapping. */
    static final class DirectlyMapped {
        static {
            Native.register(DirectlyMapped.class, (String) null);
        }

        private DirectlyMapped() {
        }

        /** close(2). */
        static native int close(int fd);
    }

    /** The shim: JNI, the errno as the result. */
    @Benchmark
    public int jni() {
        return Syscalls.close(NO_DESCRIPTOR);
    }

    /** JNA by an interface, as for calls that happen once. */
    @Benchmark
    public int jnaInterface() {
        return CLibrary.INSTANCE.close(NO_DESCRIPTOR);
    }

    /** JNA's faster way, direct mapping. */
    @Benchmark
    public int jnaDirect() {
        return DirectlyMapped.close(NO_DESCRIPTOR);
    }

    /** The Foreign Function and Memory API, without the errno; from JDK 22 on. */
    @Benchmark
    public int ffm() throws Throwable {
        return (int) FOREIGN_CLOSE.invokeExact(NO_DESCRIPTOR);
    }
}
