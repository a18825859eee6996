"""What a record tells of a study, and the programs that are made of its candidates."""

from __future__ import annotations

from pathlib import Path

import pytest

import dspex
from dspex.core.errors import RunNotFoundError
from tests.unit.teleprompt.studies import SEARCHES, candidates, recorded


def test_a_study_is_loaded_with_all_its_candidates(tmp_path: Path) -> None:
    found = candidates(40.0, 80.0)
    recorded(tmp_path, found)

    study = dspex.load_study("tuning", home=tmp_path)

    assert study.candidates == found
    assert study.winner == found[1]
    assert study.searched == SEARCHES
    assert study.line_on is None


def test_without_a_program_candidates_have_their_state_alone(tmp_path: Path) -> None:
    recorded(tmp_path, candidates(40.0))

    (first,) = dspex.load_study("tuning", home=tmp_path).candidates

    assert first.program is None
    assert first.state["signature"]["instructions"] == "Wording 0."


def test_with_a_program_each_candidate_has_its_own(tmp_path: Path) -> None:
    recorded(tmp_path, candidates(40.0, 80.0))
    given = dspex.Predict("country -> capital")
    before = given.dump_state()

    study = dspex.load_study("tuning", program=given, home=tmp_path)

    wordings = [each.program.signature.instructions for each in study.candidates]
    assert wordings == ["Wording 0.", "Wording 1."]
    assert study.winner is not None
    assert study.winner.program.demos == [{"country": "Peru", "capital": "Lima"}]
    assert given.dump_state() == before


def test_a_program_built_in_another_way_is_refused(tmp_path: Path) -> None:
    recorded(tmp_path, candidates(40.0))

    with pytest.raises(dspex.StateError):
        dspex.load_study(
            "tuning",
            program=dspex.ChainOfThought("country -> capital"),
            home=tmp_path,
        )


def test_an_evaluation_is_no_study_and_a_study_no_evaluation(tmp_path: Path) -> None:
    recorded(tmp_path, candidates(40.0), parts=["0.score"])

    with pytest.raises(RunNotFoundError, match=r"dspex\.load_run"):
        dspex.load_study("tuning.0.score", home=tmp_path)
    with pytest.raises(RunNotFoundError, match=r"dspex\.load_study"):
        dspex.load_run("tuning", home=tmp_path)
    with pytest.raises(RunNotFoundError, match="nobody"):
        dspex.load_study("nobody", home=tmp_path)


def test_a_study_at_work_tells_what_it_has_found_so_far(tmp_path: Path) -> None:
    owner = recorded(tmp_path, candidates(40.0, 30.0), ended=None)

    study = dspex.load_study("tuning", home=tmp_path)

    assert (study.ended, study.best) == ("open", 0)
    assert study.line_on == "COPRO(...).compile(..., run='tuning')"
    del owner
