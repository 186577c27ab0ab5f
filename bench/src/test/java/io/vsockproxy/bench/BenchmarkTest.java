/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Collection;
import org.junit.jupiter.api.Test;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

class BenchmarkTest {
    private static final int ITERATIONS = 3;
    private static final long ITERATION_MS = 100;

    @Test
    void shouldRunTheBenchmarkOfReadingASmallFrame() throws RunnerException {
        final Collection<RunResult> results = new Runner(new OptionsBuilder()
            .include(DataFrameBenchmark.class.getName() + "\\.decode$")
            .param("length", "64")
            .mode(Mode.AverageTime)
            .forks(0)
            .warmupIterations(1)
            .warmupTime(TimeValue.milliseconds(ITERATION_MS))
            .measurementIterations(ITERATIONS)
            .measurementTime(TimeValue.milliseconds(ITERATION_MS))
            .addProfiler(GCProfiler.class)
            .shouldFailOnError(true)
            .verbosity(VerboseMode.SILENT)
            .build()).run();

        assertEquals(1, results.size());
        final RunResult result = results.iterator().next();
        assertTrue(result.getPrimaryResult().getScore() > 0, result.toString());
        assertTrue(
            result.getSecondaryResults().keySet().stream().anyMatch(name -> name.endsWith("gc.alloc.rate.norm")),
            () -> "the profiler has not run: " + result.getSecondaryResults().keySet());
    }
}
