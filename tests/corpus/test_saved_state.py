"""A saved program keeps every text of the corpus, in its demos and its instructions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dspex
from tests.corpus import PICTURES, TEXTS, demos, seen

QA = "question -> answer"


def loaded_again(program: dspex.Predict, path: Path) -> dspex.Predict:
    program.save(path)
    again = dspex.Predict(program.signature)
    again.load(path)
    return again


def as_json_has_it(text: str) -> str:
    """Two halves in order are a character to JSON."""
    return str(json.loads(json.dumps(text)))


def test_two_hundred_demos_come_back(tmp_path: Path) -> None:
    program = dspex.Predict(QA)
    # A file is UTF-8, which has no halves of characters.
    program.demos = [
        {name: seen(text) for name, text in demo.items()} for demo in demos(200)
    ]

    again = loaded_again(program, tmp_path / "program.json")

    assert [dict(demo) for demo in again.demos] == program.demos


@pytest.mark.parametrize("name", TEXTS)
def test_instructions_and_their_prompt_come_back(tmp_path: Path, name: str) -> None:
    told = seen(TEXTS[name])
    program = dspex.Predict(dspex.make_signature(QA, told or "Answer."))
    program.demos = [{"question": told, "answer": "Lima"}]

    again = loaded_again(program, tmp_path / "program.json")

    def prompt(one: dspex.Predict) -> list[str]:
        messages = dspex.ChatAdapter().format(
            one.signature, one.demos, {"question": "?"}
        )
        return [message.text for message in messages]

    assert again.signature.instructions == program.signature.instructions
    assert prompt(again) == prompt(program)


@pytest.mark.parametrize("name", ["high half", "low half", "halves in disorder"])
def test_half_a_character_is_kept_or_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "program.json"
    program = dspex.Predict(QA)
    program.demos = [{"question": TEXTS[name], "answer": "Lima"}]

    try:
        program.save(path)
    except dspex.DataError:
        saved = None
    else:
        again = dspex.Predict(QA)
        again.load(path)
        saved = again.demos[0]["question"]

    assert saved in {TEXTS[name], None}
    assert saved is not None or not path.exists()


def test_a_picture_in_a_demo_comes_back(tmp_path: Path) -> None:
    signature = dspex.make_signature("photo: dspex.Image -> animal")
    program = dspex.Predict(signature)
    picture = dspex.Image(PICTURES["2 MB"]())
    program.demos = [{"photo": picture, "animal": "cat"}]

    again = loaded_again(program, tmp_path / "program.json")

    assert dspex.Image(again.demos[0]["photo"]).url == picture.url
