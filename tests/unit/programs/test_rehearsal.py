from __future__ import annotations

import pytest

from dspex.core.errors import AdapterParseError
from dspex.programs import Predict, configure
from dspex.programs.rehearsal import is_rehearsal, rehearsal
from tests.unit.programs.fakes import FakeLM


def test_rehearsing_predictor_gives_placeholders_of_the_right_types() -> None:
    configure(lm=FakeLM("nothing that can be read", "nor this"))
    predict = Predict("text -> topic, score: float")

    with rehearsal():
        prediction = predict(text="a")
    with pytest.raises(AdapterParseError):
        predict(text="a")

    assert (prediction.topic, prediction.score) == ("placeholder", 1.0)


def test_rehearsal_ends_with_its_block() -> None:
    with rehearsal():
        inside = is_rehearsal()

    assert (inside, is_rehearsal()) == (True, False)
