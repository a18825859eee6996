"""The record of a run takes the corpus, and gives it back as it was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import dspex
from dspex.evaluate.record.entries import Began, Decided, Entry
from dspex.evaluate.record.fingerprint import row_digest
from dspex.evaluate.record.head import RunHead
from dspex.evaluate.record.place import RunPlace
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.results.outcome import ErrorNote, Outcome, OutcomeKind, Stamp
from tests.corpus import PICTURES, TEXTS, demos, rows

RUN = "corpus"


def came(number: int, example: dspex.Example, text: str) -> Sequence[Entry]:
    stamp = Stamp(run=RUN, example=number)
    failed = number % 2 == 1
    note = ErrorNote(stage="metric", type="ValueError", message=text, where=text)
    outcome = Outcome(
        stamp=stamp,
        kind=OutcomeKind.METRIC if failed else OutcomeKind.SCORED,
        score=None if failed else 0.5,
        prediction=dspex.Prediction(answer=text, seen={text: [text]}),
        feedback=text,
        error=note if failed else None,
        stage="metric" if failed else None,
    )
    digest = row_digest(example)
    return [
        Began(stamp=stamp, at=1.0, digest=digest, example=example),
        Decided(outcome=outcome),
    ]


def reread(home: Path, examples: Sequence[dspex.Example], texts: Sequence[str]) -> None:
    """Hold that the next owner finds all of it as it was."""
    place = RunPlace(run=RUN, home=home)
    head = RunHead(run=RUN, created=1.0, version="0", total=len(examples))
    record = RunRecord.create(place, head)
    told = [
        came(number, example, text)
        for number, (example, text) in enumerate(zip(examples, texts, strict=True))
    ]
    for entries in told:
        record.commit(entries)
    record.close("complete")

    again = RunRecord.open(place, owner=True)

    outcomes = [entry.outcome for _, entry in told if isinstance(entry, Decided)]
    assert list(again.outcomes()) == outcomes
    for number, example in enumerate(examples):
        assert again.example(number) == example
        again.check_row(number, row_digest(example))
    again.close("complete")


def test_every_text_comes_back_as_example_prediction_and_error(tmp_path: Path) -> None:
    texts = list(TEXTS.values())

    reread(tmp_path, dspex.load([{"q": text} for text in texts], inputs=["q"]), texts)


def test_every_picture_comes_back(tmp_path: Path) -> None:
    examples = [dspex.Example(picture=made()) for made in PICTURES.values()]

    reread(tmp_path, examples, ["seen"] * len(examples))


def test_demos_and_rows_come_back(tmp_path: Path) -> None:
    examples = [dspex.Example(row) for row in (*demos(20), *rows(50))]

    reread(tmp_path, examples, ["seen"] * len(examples))


def test_identical_rows_are_each_kept(tmp_path: Path) -> None:
    reread(tmp_path, [dspex.Example(q="the same")] * 40, ["the same"] * 40)
