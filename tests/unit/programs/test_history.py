"""The last calls, printed."""

from __future__ import annotations

import io

import pytest

from dspex.programs import Predict, context
from dspex.programs.history import inspect_history
from tests.unit.programs.fakes import FakeLM, chat


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_call_is_shown_on_an_output_that_lacks_its_characters(encoding: str) -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    with context(lm=FakeLM(chat(b="漢"))):
        Predict("a -> b")(a="x")

    inspect_history(file=file)

    file.seek(0)
    assert r"\u6f22" in file.read()
