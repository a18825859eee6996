"""Tools for testing programs that call language models; public and documented."""

from dspex.testing._bill import Billed
from dspex.testing.answers import Answer, answers_by_input, chat_answer, inputs_of
from dspex.testing.faults import (
    BAD_JSON,
    EMPTY_CHOICES,
    NOT_JSON,
    OUT_OF_QUOTA,
    OVERLOADED,
    RATE_LIMITED,
    SERVER_ERROR,
    WRONG_KEY,
    CloseBeforeAnswer,
    Drip,
    Fault,
    GzipBomb,
    HalfBody,
    Hang,
    HugeBody,
    RawBody,
    Reset,
    Status,
)
from dspex.testing.provider import FakeProvider

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
    "CloseBeforeAnswer",
    "Drip",
    "FakeProvider",
    "Fault",
    "GzipBomb",
    "HalfBody",
    "Hang",
    "HugeBody",
    "RawBody",
    "Reset",
    "Status",
    "answers_by_input",
    "chat_answer",
    "inputs_of",
]
