"""The examples of optimisers run, and find what their page shows, without any key."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

import dspex
from tests.docs.pages import ROOT, blocks

EXAMPLES = ROOT / "examples"
BETTER = "The winner is better than the program given by"


def printed(name: str, home: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What an example prints, with a home of its own."""
    with dspex.Runtime(dspex.Config(home=home)):
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return capsys.readouterr().out


def test_labelled_examples_are_compared_with_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = printed("labeled_few_shot.py", tmp_path, capsys)

    assert "8 demonstrations is better than without by" in found


def test_bootstrapped_demos_are_found_again_by_the_name_of_their_study(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = printed("bootstrap_few_shot.py", tmp_path, capsys)

    assert found.startswith("BootstrapFewShot: 124 to 150 calls")
    assert BETTER in found
    assert found.count("What is the code of") == 4


def test_random_search_finds_what_the_page_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [shown] = [
        block.text
        for block in blocks(EXAMPLES / "README.md")
        if block.text.startswith(BETTER)
    ]

    assert shown in printed("random_search.py", tmp_path, capsys)


def test_copro_finds_the_words_that_were_lacking(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = printed("copro.py", tmp_path, capsys)

    assert BETTER in found
    told = found.partition("It is told:")[2].partition("\n")[0]
    assert all(word in told for word in ("verbatim", "lowercase", "once"))


def test_mipro_goes_on_where_it_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna")
    first = printed("mipro.py", tmp_path, capsys)

    again = printed("mipro.py", tmp_path, capsys)

    assert BETTER in first
    assert again.partition("\n")[2] == first.partition("\n")[2]


def test_gepa_takes_up_the_words_of_the_metric(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("gepa")

    found = printed("gepa_feedback.py", tmp_path, capsys)

    assert BETTER in found
    told = found.partition("It is told:")[2].partition("\n")[0]
    assert all(word in told for word in ("verbatim", "lowercase", "once"))


def test_demos_of_each_questions_kind_do_what_the_page_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [shown] = [
        block.text
        for block in blocks(EXAMPLES / "README.md")
        if "four made for each question" in block.text
    ]

    assert shown == printed("knn_few_shot.py", tmp_path, capsys)


def test_five_programs_answer_better_than_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = printed("ensemble.py", tmp_path, capsys)

    assert "five together is better than one program by" in found
