"""Tools for testing programs that call language models; public and documented."""

from dspex.testing._bill import Billed
from dspex.testing._embeddings import vector_of
from dspex.testing._rules import Step
from dspex.testing.answers import (
    Answer,
    FullAnswer,
    ToolCallAnswer,
    answers_by_input,
    chat_answer,
    inputs_of,
)
from dspex.testing.dummy_lm import DummyLM
from dspex.testing.dummy_retrieval import DummyVectorizer, dummy_rm
from dspex.testing.faults import (
    BAD_JSON,
    EMPTY_CHOICES,
    NOT_JSON,
    OUT_OF_QUOTA,
    OVERLOADED,
    RATE_LIMITED,
    SERVER_ERROR,
    WRONG_KEY,
    Chunked,
    CloseBeforeAnswer,
    Drip,
    EndlessBody,
    Fault,
    GzipBomb,
    Gzipped,
    HalfBody,
    Hang,
    HugeBody,
    RawBody,
    Redirect,
    Reset,
    Status,
    StreamCut,
    StreamError,
    StreamStall,
    StreamUnfinished,
)
from dspex.testing.latency import Jitter, Latency, LogNormal, SlowTail, Steady
from dspex.testing.provider import FakeProvider
from dspex.testing.rate_limit import RateLimit
from dspex.testing.recorded import NotRecordedError, Recorded
from dspex.testing.scripted_task import ScriptedTask

__all__ = [
    "BAD_JSON",
    "EMPTY_CHOICES",
    "NOT_JSON",
    "OUT_OF_QUOTA",
    "OVERLOADED",
    "RATE_LIMITED",
    "SERVER_ERROR",
    "WRONG_KEY",
    "Answer",
    "Billed",
    "Chunked",
    "CloseBeforeAnswer",
    "Drip",
    "DummyLM",
    "DummyVectorizer",
    "EndlessBody",
    "FakeProvider",
    "Fault",
    "FullAnswer",
    "GzipBomb",
    "Gzipped",
    "HalfBody",
    "Hang",
    "HugeBody",
    "Jitter",
    "Latency",
    "LogNormal",
    "NotRecordedError",
    "RateLimit",
    "RawBody",
    "Recorded",
    "Redirect",
    "Reset",
    "ScriptedTask",
    "SlowTail",
    "Status",
    "Steady",
    "Step",
    "StreamCut",
    "StreamError",
    "StreamStall",
    "StreamUnfinished",
    "ToolCallAnswer",
    "answers_by_input",
    "chat_answer",
    "dummy_rm",
    "inputs_of",
    "vector_of",
]
