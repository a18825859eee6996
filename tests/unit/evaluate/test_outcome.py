"""Whose failure an error is, and what is kept of it."""

from __future__ import annotations

import pytest

from dspex.core.errors import (
    AdapterParseError,
    CircuitOpenError,
    ConfigurationError,
    ContextWindowExceededError,
    LMAuthError,
    LMCancelledError,
    LMConnectionError,
    LMRateLimitError,
    LMTimeoutError,
    WorkTimeoutError,
)
from dspex.core.signature import make_signature
from dspex.evaluate.results.outcome import (
    Outcome,
    OutcomeKind,
    Stage,
    Stamp,
    kind_of,
    note,
)

PARSE = AdapterParseError("ChatAdapter", make_signature("q -> a"), "no")


@pytest.mark.parametrize(
    ("error", "stage", "kind"),
    [
        (ValueError(), "program", OutcomeKind.PROGRAM),
        (ValueError(), "metric", OutcomeKind.METRIC),
        (PARSE, "program", OutcomeKind.MODEL),
        (ContextWindowExceededError("long"), "program", OutcomeKind.MODEL),
        (LMConnectionError("down"), "program", OutcomeKind.INFRASTRUCTURE),
        (LMRateLimitError("busy"), "metric", OutcomeKind.INFRASTRUCTURE),
        (LMAuthError("key"), "program", OutcomeKind.INFRASTRUCTURE),
        (LMTimeoutError("slow"), "program", OutcomeKind.TIMEOUT),
        (LMCancelledError("over"), "program", OutcomeKind.CANCELLED),
        (WorkTimeoutError("slow"), "runtime", OutcomeKind.TIMEOUT),
        (WorkTimeoutError("its own"), "program", OutcomeKind.PROGRAM),
        (SystemExit(1), "program", OutcomeKind.PROGRAM),
    ],
)
def test_each_error_is_somebodys(
    error: BaseException, stage: Stage, kind: OutcomeKind
) -> None:
    assert kind_of(error, stage) is kind


@pytest.mark.parametrize(
    ("error", "fatal"),
    [
        (LMAuthError("key"), True),
        (CircuitOpenError("down"), False),
        (ConfigurationError("no model"), True),
        (LMConnectionError("once"), False),
        (ValueError("row"), False),
    ],
)
def test_what_would_end_every_example_ends_the_run(
    error: BaseException, fatal: bool
) -> None:
    outcome = Outcome(
        stamp=Stamp(run="r", example=0),
        kind=kind_of(error, "program"),
        error=note(error, "program"),
    )

    assert outcome.is_fatal is fatal


def test_final_outcomes_are_measurements_and_open_ones_are_not() -> None:
    final = {kind for kind in OutcomeKind if kind.is_final}

    assert final == {
        OutcomeKind.SCORED,
        OutcomeKind.PROGRAM,
        OutcomeKind.METRIC,
        OutcomeKind.MODEL,
    }


def test_a_note_holds_class_text_and_place_and_is_bounded() -> None:
    def raising() -> None:
        raise ValueError("x" * 10_000)

    with pytest.raises(ValueError, match="x") as caught:
        raising()
    kept = note(caught.value, "program")

    assert kept.type == "ValueError"
    assert len(kept.message) == 2_000
    assert len(kept.where) <= 2_000


def test_an_error_whose_text_raises_can_be_kept() -> None:
    class RudeError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert "cannot be shown" in note(RudeError(), "program").message
