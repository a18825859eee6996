"""What an evaluation found, as text for people and as JSON values. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from dspex.cli.predict import plain_outputs
from dspex.core.spoken import money

if TYPE_CHECKING:
    from dspex.evaluate.result import EvaluationResult, Row

LONGEST_SHOWN = 200
"""Characters of one value that are shown in a wrong row."""


def as_plain(result: EvaluationResult, *, model: str | None) -> dict[str, Any]:
    """Return what was found as JSON values."""
    usage, interval = result.usage, result.interval
    return {
        "model": model,
        "score": result.score,
        "stderr": None if result.stderr is None else round(result.stderr, 2),
        "interval": None
        if interval is None
        else [round(100 * interval.low, 2), round(100 * interval.high, 2)],
        "columns": result.column_scores,
        "n": result.n,
        "complete": result.complete,
        "score_measured": result.score_measured,
        "score_at_best": result.score_at_best,
        "failures": _counted(outcome.kind.value for outcome in result.failures),
        "not_measured": dict(result.not_measured),
        "calls": result.calls,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cost": result.cost,
        "cached": result.cached,
        "seconds": round(result.seconds, 3),
        "restarts": result.restarts,
    }


def lines_of(result: EvaluationResult, shown: int) -> Iterator[str]:
    """Yield what was found, for people."""
    yield str(result)
    interval = result.interval
    if interval is not None and result.complete:
        yield f"95 % interval: {100 * interval.low:.1f} to {100 * interval.high:.1f}"
    tokens = result.usage.total_tokens
    cost = "" if result.cost is None else f", {money(result.cost)}"
    yield f"{result.calls} calls, {tokens:,} tokens{cost}, {result.seconds:.1f} s"
    wrong = [
        row
        for row, outcome in zip(result.results, result.outcomes, strict=True)
        if outcome is not None and outcome.score is not None and outcome.score < 1
    ]
    if wrong and shown:
        few = wrong[:shown]
        yield ""
        yield f"below full score: {len(wrong)} of {result.n}, the first {len(few)}:"
        for row in few:
            yield from _wrong_row(row)


def _wrong_row(row: Row) -> Iterator[str]:
    example, prediction, _score = row
    got = plain_outputs(prediction) if hasattr(prediction, "items") else prediction
    yield f"  given     {_fields(example.inputs().toDict())}"
    yield f"  expected  {_fields(example.labels().toDict())}"
    yield f"  answered  {_fields(got) if isinstance(got, dict) else _short(got)}"


def _fields(values: dict[str, Any]) -> str:
    return ", ".join(f"{name}={_short(value)}" for name, value in values.items())


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names))
