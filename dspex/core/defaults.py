"""Every default of dspex, in one place. The same table stands in the reference."""

from __future__ import annotations

from typing import Final

CONCURRENCY: Final = 16
"""Examples evaluated at a time (`num_threads` is DSPy's name for it)."""
MAX_ERRORS: Final = 10
"""Failed examples after which an evaluation stops and says why."""
FAILURE_SCORE: Final = 0.0
"""What an example that could not be scored adds to the mean."""
METRIC_RANGE: Final = (0.0, 1.0)
"""The lowest and the highest score of a metric; one outside fails its example."""

ATTEMPT_TIMEOUT: Final = 60.0
"""Seconds without a byte from the provider, counted from the request being written."""
LONG_ATTEMPT_TIMEOUT: Final = 600.0
"""The same for reasoning models and for `max_tokens` above `LONG_ANSWER`."""
LONG_ANSWER: Final = 4096
"""Tokens from which an answer counts as long."""
ASSUMED_ANSWER: Final = 4096
"""Tokens that limits and budgets reserve for an answer without `max_tokens`."""
EMBEDDING_BATCH: Final = 200
"""Texts in a request of an `Embedder`."""
RETRIES: Final = 2
"""Further attempts after a call's first one failed."""
LONGEST_RETRY_AFTER: Final = 120.0
"""Seconds a provider may ask to wait; more is raised and not slept."""
MAX_IN_FLIGHT: Final = 256
"""Requests out at a time, for one provider, address and key."""
MAX_QUEUED: Final = 100_000
"""Calls that may wait for a place there; one more is refused at once."""
HISTORY: Final = 1_000
"""Calls that each language model, each program and the process remember."""
TRACE: Final = 10_000
"""Steps that a trace holds."""
ASYNC_WORKERS: Final = 8
"""Threads that `asyncify` uses at a time, for each event loop."""
BREAKER_FAILURES: Final = 5
"""Failures in a row after which a provider counts as down."""
BREAKER_RESET: Final = 5.0
"""Seconds until one request looks whether it is back."""
MAX_OUTAGE: Final = 30.0
"""Seconds a provider may be down before the calls that wait for it fail."""

SERVE_IN_FLIGHT: Final = 256
"""Requests a service works on at a time; one more is refused at once."""
SERVE_TIMEOUT: Final = 600.0
"""Seconds a request to a service may take."""
SERVE_BODY: Final = 8_388_608
"""Bytes a request to a service may bring."""

STREAM_SIZE: Final = 64
"""Chunks of a streamed answer that may wait to be read."""
STREAM_PATIENCE: Final = 0.9
"""Seconds in which nothing may be read of a stream while so many chunks wait, so that
its request is gone within one."""

CACHE_ENTRIES: Final = 100_000
"""Answers kept in memory."""
CACHE_BYTES: Final = 268_435_456
"""Bytes the answers in memory may take, about."""
CACHE_TTL: Final = 7 * 24 * 3600.0
"""Seconds an answer is kept in memory."""
CACHE_DISK_BYTES: Final = 10_000_000_000
"""Bytes the answers on disk may take; those used least recently make room."""
CACHE_DISK_TTL: Final = 90 * 24 * 3600.0
"""Seconds an answer is kept on disk."""
CACHE_STORE_PATIENCE: Final = 0.05
"""Seconds the disk has to answer; more is a miss, and the model is asked."""

RUNS_KEPT: Final = 90 * 24 * 3600.0
"""Seconds the record of a run is kept after it was last written."""

LOCAL_IDLE: Final = 600.0
"""Seconds without a call after which a local model server is stopped."""
LOCAL_READY: Final = 60.0
"""Seconds a local model server may take until it is ready."""
LOCAL_TEXT: Final = 2_000
"""Characters of a text in a local model's answer by a schema; for a base model it is
fewer, one for each token it may write."""
LOCAL_ITEMS: Final = 50
"""Items of a list in a local model's answer by a schema."""

BRANCH_RESTARTS: Final = 10
"""Restarts allowed in a branch of the tree within `BRANCH_WITHIN`."""
BRANCH_WITHIN: Final = 30.0
"""Seconds in which `BRANCH_RESTARTS` are counted."""
ROOT_RESTARTS: Final = 3
"""Restarts of whole branches allowed within `ROOT_WITHIN`."""
ROOT_WITHIN: Final = 60.0
"""Seconds in which `ROOT_RESTARTS` are counted."""
CLOSE_WITHIN: Final = 10.0
"""Seconds a runtime may take to stop when the program ends."""

DRAIN_WITHIN: Final = 30.0
"""Seconds a daemon answers what it has accepted, once it is asked to end."""
HEALTH_WITHIN: Final = 1.0
"""Seconds the tree of a daemon has to answer when it is asked how it is."""
