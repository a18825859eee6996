"""Studies of optimisers, for the commands that tell of runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from dspex.cli.console import show, show_json
from dspex.core.home import home

if TYPE_CHECKING:
    from dspex.teleprompt.studies.candidate import Candidate
    from dspex.teleprompt.studies.study_result import StudyResult

LONGEST_ORIGIN = 160
"""Characters of a candidate's origin in a list."""


def study_named(run: str) -> StudyResult | None:
    """Return the study of a name; `None` when it is an evaluation.

    Raises:
        RunNotFoundError: There is no run of that name.
        RecordError: Its record cannot be read.
    """
    from dspex.evaluate.record.place import RunPlace
    from dspex.evaluate.record.record import RunRecord
    from dspex.teleprompt.studies.recorded_study import load_study

    record = RunRecord.open(RunPlace(run=run, home=home()), owner=False)
    return load_study(run, home=home()) if record.head.kind == "study" else None


def show_study(
    study: StudyResult, numbers: Sequence[int], *, limit: int, as_json: bool
) -> None:
    """Show a study, or some of its candidates in full.

    Args:
        study: The study.
        numbers: The candidates; none for the study.
        limit: How many candidates are listed with their origin.
        as_json: Whether it is JSON.
    """
    if numbers:
        chosen = [_candidate(study, number) for number in numbers]
        if as_json:
            show_json([candidate.plain() for candidate in chosen])
        else:
            show("\n\n".join("\n".join(in_full(each, study)) for each in chosen))
    elif as_json:
        show_json(study.plain())
    else:
        show("\n".join(lines_of(study, limit)))


def lines_of(study: StudyResult, limit: int) -> Iterator[str]:
    """Yield what a study found, for people."""
    from dspex.teleprompt.studies.score_drawing import look_for
    from dspex.teleprompt.studies.shown_program import program_lines

    look = look_for(sys.stdout)
    yield from study.drawn(look).splitlines()
    if study.searched is not None:
        yield from ("", "searched", *(f"  {line}" for line in study.searched.lines()))
    if study.candidates:
        yield from ("", *_origins(study, limit))
    if (winner := study.winner) is not None and winner.state:
        yield ""
        yield f"the winner, number {winner.number}"
        yield from program_lines(winner.state)
    if study.line_on is not None:
        how = ", with a larger budget" if study.ended == "budget" else ""
        yield from ("", f"to go on{how}: {study.line_on}")


def in_full(candidate: Candidate, study: StudyResult) -> Iterator[str]:
    """Yield all that is known of a candidate, for people."""
    from dspex.teleprompt.studies.score_drawing import score_texts
    from dspex.teleprompt.studies.shown_program import program_lines

    chosen = ", the winner" if candidate.number == study.best else ""
    yield f"candidate {candidate.number}{chosen}: {_one_line(candidate.label)}"
    (score,) = score_texts([candidate])
    whole = "" if candidate.complete else ", not every row gave a score"
    yield f"  score      {score}{whole}"
    yield f"  came from  {_one_line(candidate.origin)}"
    if candidate.parents:
        names = {each.number: _one_line(each.label) for each in study.candidates}
        told = (f"{each} ({names.get(each, '?')})" for each in candidate.parents)
        yield f"  parents    {', '.join(told)}"
    for name, value in candidate.facts.items():
        yield f"  {name:<9}  {_one_line(str(value))}"
    if candidate.run is not None:
        yield f"  its rows   dspex show {candidate.run}"
    yield from program_lines(candidate.state)


def _candidate(study: StudyResult, number: int) -> Candidate:
    found = {each.number: each for each in study.candidates}
    if number not in found:
        known = ", ".join(map(str, found)) or "none so far"
        raise click.UsageError(
            f"there is no candidate {number}; the study has: {known}. Name one of "
            "those."
        )
    return found[number]


def _origins(study: StudyResult, limit: int) -> Iterator[str]:
    """Yield where the best candidates came from, by number."""
    from dspex.teleprompt.studies.score_drawing import best_first

    shown = sorted(study.candidates, key=best_first)[:limit]
    left = len(study.candidates) - len(shown)
    yield "where they came from" + (f" (the best {limit})" if left else "")
    width = len(str(study.candidates[-1].number))
    for each in sorted(shown, key=lambda one: one.number):
        parents = ", ".join(map(str, each.parents))
        of = f" (from {parents})" if parents else ""
        yield f"  {each.number:>{width}}  {_one_line(each.origin)}{of}"
    if left:
        yield f"  {left:,} more; --limit shows more of them"


def _one_line(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= LONGEST_ORIGIN else f"{words[:LONGEST_ORIGIN]}..."
