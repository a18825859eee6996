"""The candidates of a study in files: CSV for spreadsheets, JSON lines for programs."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dspex.core.whole_files import check_place, written_whole
from dspex.evaluate.results.cells import as_json, text_of
from dspex.evaluate.results.export import disarmed
from dspex.teleprompt.studies.shown_program import demos_in_state, instructions_in

if TYPE_CHECKING:
    from dspex.teleprompt.studies.candidate import Candidate
    from dspex.teleprompt.studies.study_result import StudyResult


def save_jsonl(study: StudyResult, path: str | Path) -> None:
    """Write a line of JSON for each candidate; see `StudyResult.save_jsonl`."""
    check_place(Path(path))
    with written_whole(Path(path)) as file:
        for candidate in study.candidates:
            told = {
                name: as_json(value)
                for name, value in record_of(candidate, study).items()
            }
            # ASCII, as half a character of a broken text has no UTF-8.
            file.write(f"{json.dumps(told)}\n".encode())


def save_csv(study: StudyResult, path: str | Path, *, raw: bool = False) -> None:
    """Write a line of cells for each candidate; see `StudyResult.save_csv`."""
    check_place(Path(path))
    rows = [_cells(candidate, study) for candidate in study.candidates]
    names = list(dict.fromkeys(name for row in rows for name in row))
    with written_whole(Path(path)) as file:
        writer = csv.writer(codecs.getwriter("utf-8")(file, "replace"))
        for cells in ({name: name for name in names}, *rows):
            texts = (cells.get(name, "") for name in names)
            writer.writerow(text if raw else disarmed(text) for text in texts)


def record_of(candidate: Candidate, study: StudyResult) -> dict[str, Any]:
    """Return all that is known of a candidate, and whether it was chosen."""
    return {
        "number": candidate.number,
        "chosen": _is_best(candidate, study),
        **candidate.plain(),
    }


def _cells(candidate: Candidate, study: StudyResult) -> dict[str, str]:
    told: Mapping[str, Any] = {
        "number": candidate.number,
        "chosen": _is_best(candidate, study),
        "label": candidate.label,
        "score": candidate.score,
        "seen": candidate.seen,
        "complete": candidate.complete,
        "origin": candidate.origin,
        "parents": " ".join(map(str, candidate.parents)),
        "run": candidate.run,
        "demos": demos_in_state(candidate.state),
        **{
            f"instruction.{name}": text
            for name, text in instructions_in(candidate.state).items()
        },
        **{f"facts.{name}": value for name, value in candidate.facts.items()},
    }
    return {name: text_of(value) for name, value in told.items()}


def _is_best(candidate: Candidate, study: StudyResult) -> bool:
    return candidate.number == study.best
