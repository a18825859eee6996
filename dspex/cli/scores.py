"""What an evaluation found, as text for people and as JSON values. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from dspex.core.spoken import money

if TYPE_CHECKING:
    from dspex.evaluate.results.result import EvaluationResult
    from dspex.evaluate.results.rows import ResultRow

LONGEST_SHOWN = 200
"""Characters of one value that are shown in a wrong row."""


def as_plain(
    result: EvaluationResult, *, model: str | None, run: str | None = None
) -> dict[str, Any]:
    """Return what was found as JSON values."""
    usage, interval = result.usage, result.interval
    return {
        "run": run,
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
        "score_at_best": _bound(result.score_at_best),
        "failures": _counted(outcome.kind.value for outcome in result.failures),
        "not_measured": dict(result.not_measured),
        "trials": result.trials,
        "score_range": [_bound(end) for end in result.score_range],
        "calls": result.calls,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "seconds": round(result.seconds, 3),
        "restarts": result.restarts,
    }


def _bound(points: float) -> float | None:
    """A bound as JSON has it: `None` where there is none."""
    return points if math.isfinite(points) else None


def lines_of(result: EvaluationResult, shown: int) -> Iterator[str]:
    """Yield what was found, for people."""
    from dspex.evaluate.results.rows import rows_in_order

    yield str(result)
    interval = result.interval
    if interval is not None and result.complete:
        yield f"95 % interval: {100 * interval.low:.1f} to {100 * interval.high:.1f}"
    yield _spent(result)
    _, full = result.metric_range
    count = 0
    few: list[ResultRow] = []
    for row in rows_in_order(result):
        if row.score is not None and row.score < full:
            count += 1
            if len(few) < shown:
                few.append(row)
    if few:
        of = f"{result.n * result.trials}"
        yield ""
        yield f"below full score: {count} of {of}, the first {len(few)}:"
        for row in few:
            yield from row_lines(row)


def row_lines(row: ResultRow) -> Iterator[str]:
    """Yield a row in short, for people."""
    from dspex.evaluate.html.row import asked_and_expected
    from dspex.evaluate.results.cells import fields_of

    outcome = row.outcome
    trial = f", trial {row.trial}" if row.trial else ""
    ended = row.kind if row.score is None else f"score {row.score:g}"
    yield f"  example {row.number}{trial}: {ended}"
    asked, expected = asked_and_expected(row.example)
    yield f"    given     {_fields(asked)}"
    if expected:
        yield f"    expected  {_fields(expected)}"
    if outcome is None:
        return
    if outcome.prediction is not None:
        yield f"    answered  {_fields(fields_of(outcome.prediction))}"
    if outcome.error is not None:
        error = outcome.error
        told = f"{error.type} in the {error.stage}: {error.message}"
        yield f"    failed    {_cut(told)}"


def _spent(result: EvaluationResult) -> str:
    tokens = result.usage.total_tokens
    told = [f"{result.calls} calls", f"{tokens:,} tokens"]
    if result.cached:
        told.append(f"{result.cached} answers from the cache")
    if result.cost is not None:
        told.append(money(result.cost))
    return ", ".join([*told, f"{result.seconds:.1f} s"])


def _fields(values: dict[str, Any]) -> str:
    return ", ".join(f"{name}={_short(value)}" for name, value in values.items())


def _short(value: Any) -> str:
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names))
