"""What changed between two runs, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dspex.core.errors import RunChangedError
from dspex.evaluate.record.head import Fingerprints, RunHead

CODE = ("the code of ", "the metric ", "the attribute ", "the adapter")
"""How the names of parts begin whose digests are of compiled code."""

MOST_TOLD = 6
"""Differences that an error's text names; the error has them all."""


def check_same(old: RunHead, new: RunHead) -> None:
    """Hold that a run goes on as what it was begun as.

    Args:
        old: The head of the record.
        new: What it is to go on as.

    Raises:
        RunChangedError: Something is another; `.changes` names it.
    """
    changes = what_changed(old, new)
    if changes:
        told = "; ".join(changes[:MOST_TOLD])
        more = len(changes) - MOST_TOLD
        raise RunChangedError(
            f"the run {old.run!r} was begun as something else. What differs: {told}"
            f"{f'; and {more} more' if more > 0 else ''}. Go on with what it began "
            "with, or give this run another name.",
            run=old.run,
            changes=changes,
        )


def what_changed(old: RunHead, new: RunHead) -> tuple[str, ...]:
    """Return what is another now, one phrase for each thing; empty when nothing is.

    Rows of the data set are compared one by one, by `RunRecord.check_row`.
    """
    return tuple(_changes(old, new))


def _changes(old: RunHead, new: RunHead) -> Iterator[str]:
    if old.kind != new.kind:
        yield f"what it is (a run of the kind {old.kind!r} -> {new.kind!r})"
    if None not in (old.total, new.total) and old.total != new.total:
        yield f"the data set ({old.total} rows -> {new.total} rows)"
    if old.trials != new.trials:
        yield f"the trials ({old.trials} -> {new.trials})"
    if old.metric_range != new.metric_range:
        yield f"the metric_range ({old.metric_range} -> {new.metric_range})"
    if old.failure_score != new.failure_score:
        yield f"the failure_score ({old.failure_score} -> {new.failure_score})"
    before, after = old.fingerprints, new.fingerprints
    is_other_python = before.python != after.python
    found = [*_parts(before.program, after.program), *_metrics(before, after)]
    if is_other_python and any(part.startswith(CODE) for part in found):
        # Compiled code of two versions of Python cannot be compared.
        yield f"Python ({before.python} -> {after.python})"
        found = [part for part in found if not part.startswith(CODE)]
    yield from found
    yield from _models(before.models, after.models)


def _parts(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in [*old, *(name for name in new if name not in old)]:
        if name not in new:
            yield f"{name} (gone)"
        elif name not in old:
            yield f"{name} (new)"
        elif old[name] != new[name]:
            yield name


def _metrics(old: Fingerprints, new: Fingerprints) -> Iterator[str]:
    yield from _parts(old.metric, new.metric)
    if list(old.metric) != list(new.metric) and set(old.metric) == set(new.metric):
        yield "the order of the metrics"


def _models(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for where in [*old, *(where for where in new if where not in old)]:
        before, after = old.get(where, "none "), new.get(where, "none ")
        if before == after:
            continue
        name_before, name_after = _name(before), _name(after)
        if name_before != name_after:
            yield f"{where} ({name_before} -> {name_after})"
        else:
            yield f"the settings of {where} ({name_after})"


def _name(fingerprint: str) -> str:
    return fingerprint.rpartition(" ")[0]
