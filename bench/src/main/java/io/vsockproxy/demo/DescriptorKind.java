/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

/**
 * A kind of descriptor: how one is made, passed and used.
 *
 * @param what what it is, for the output.
 * @param how how it is used, for the output.
 * @param usage passes one on a connection and checks that it works.
 */
record DescriptorKind(String what, String how, Usage usage) {
    /** Passes a descriptor and uses it. */
    @FunctionalInterface
    interface Usage {
        /**
         * Passes one and checks it; closes what it opens.
         *
         * @param from the connection's end of the application that passes.
         * @param to   the end of the application that receives.
         * @throws DemoException when anything is wrong.
         */
        void use(Channel from, Channel to);
    }
}
