"""What a study has spent, and what of it a budget has not seen yet."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

from dspex.client.budget import Budget, Spending
from dspex.client.call import AttemptRecord, Fate
from dspex.core.errors import RecordError, RunNotFoundError
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.record.retention import places
from dspex.evaluate.results.recorded import recorded_result
from dspex.evaluate.results.result import EvaluationResult

NOTHING: Final = Spending()
"""No call, no token, no money."""

# Protects the table below; budgets are shared by threads.
_lock = threading.Lock()
_seen: WeakKeyDictionary[Budget, dict[str, Spending]] = WeakKeyDictionary()
"""By budget and study: what of the study's spending went through this very budget."""


def added(all_spent: Iterable[Spending]) -> Spending:
    """Add up what was spent."""
    total = Spending()
    for each in all_spent:
        total = Spending(
            calls=total.calls + each.calls,
            tokens=total.tokens + each.tokens,
            dollars=total.dollars + each.dollars,
            assumed=total.assumed + each.assumed,
            unpriced=total.unpriced + each.unpriced,
        )
    return total


def without(whole: Spending, part: Spending) -> Spending:
    """Return what was spent besides a part; nothing of it is below zero."""
    return Spending(
        calls=max(0, whole.calls - part.calls),
        tokens=max(0, whole.tokens - part.tokens),
        dollars=max(0.0, whole.dollars - part.dollars),
        assumed=max(0, whole.assumed - part.assumed),
        unpriced=max(0, whole.unpriced - part.unpriced),
    )


def spending_of(result: EvaluationResult, *, most: Spending = NOTHING) -> Spending:
    """Return what the requests of a run cost.

    A model that makes no requests of ours, such as one for tests, is taken at its word.

    Args:
        result: What the run measured.
        most: See `spending_of_requests`.
    """
    if not result.requests:
        money = result.money
        return Spending(
            calls=money.calls - money.cached,
            tokens=money.usage.total_tokens,
            dollars=money.cost or 0.0,
            unpriced=money.unpriced,
        )
    return spending_of_requests(result.requests.values(), most=most)


def spending_of_requests(
    requests: Iterable[AttemptRecord], *, most: Spending = NOTHING
) -> Spending:
    """Return what requests cost.

    Args:
        requests: The requests.
        most: What any of them costs at worst: one whose bill never came counts as that.
    """
    # One that was given up before it was written cost nothing.
    records = [each for each in requests if each.sends]
    open_bills = sum(map(_is_without_bill, records)) if most.calls else 0
    unpriced = sum(each.cost is None for each in records)
    return Spending(
        calls=len(records),
        tokens=sum(each.usage.total_tokens for each in records)
        + open_bills * most.tokens,
        dollars=sum(each.cost or 0.0 for each in records) + open_bills * most.dollars,
        assumed=open_bills,
        unpriced=unpriced if most.unpriced else unpriced - open_bills,
    )


def _is_without_bill(request: AttemptRecord) -> bool:
    """Whether it may have been billed, and nobody knows how much."""
    return request.fate is not Fate.ANSWERED and request.cost is None


def spent_in_parts(run: str, home: Path, *, most: Spending = NOTHING) -> Spending:
    """Return what the recorded parts of a study have spent, whoever made them.

    Args:
        run: The study's name.
        home: The home of dspex.
        most: See `spending_of_requests`.
    """
    parts = (recorded_result(part) for part in _parts(run, home))
    return added(spending_of(part, most=most) for part in parts)


def seen_by(budget: Budget, run: str) -> Spending:
    """Return what of a study's spending went through this budget, in this process."""
    with _lock:
        return _seen.get(budget, {}).get(run, Spending())


def note_seen(budget: Budget, run: str, spent: Spending) -> None:
    """Note that a budget has seen all that a study has spent until now."""
    with _lock:
        _seen.setdefault(budget, {})[run] = spent


def _parts(run: str, home: Path) -> Iterable[RunRecord]:
    for place, _ in places(home):
        if place.run.startswith(f"{run}."):
            try:
                record = RunRecord.open(place, owner=False)
            except (RecordError, RunNotFoundError):
                # What cannot be read is told when its step is done again.
                continue
            if record.head.part_of == run:
                yield record
