/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;

/**
 * A test that uses AF_VSOCK, which is allowed only in a virtual machine that the tests have started: {@code bin/test
 * --vm} runs it, and every other run leaves it out.
 */
@Tag("vm")
@Tag("vm-only")
@EnabledIfEnvironmentVariable(named = TestLink.VM_VARIABLE, matches = ".+")
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.TYPE, ElementType.METHOD})
public @interface InVirtualMachine {
}
