/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.file.FileResponses;
import io.vsockproxy.link.Link;

/**
 * Makes the object by which a session answers file requests, for tests that have a link but no session.
 */
public final class FileAnswersFactory {
    private FileAnswersFactory() {
    }

    /** Answers that go out over {@code link}. */
    public static FileResponses over(final Link link) {
        return new FileAnswers(null, new Outbox(link, new SessionCounters(), true), () -> true);
    }
}
