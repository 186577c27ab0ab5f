/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/** For the module path; of no meaning on the class path. */
module consumer {
    requires io.vsockproxy;
    requires org.agrona;
}
