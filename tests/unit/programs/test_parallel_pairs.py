from __future__ import annotations

from typing import Any

import pytest

from dspex.core.errors import DataError
from dspex.core.example import Example
from dspex.programs.parallel import Parallel


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("predict", r"exec_pairs\[0\] is of type 'str'"),
        ((print,), "expected a pair"),
        ((1, {}), "expected a pair"),
        ((print, "text"), "of type 'str'"),
        ((print, ["a"]), "of type 'list'"),
    ],
)
def test_what_is_no_pair_is_refused_before_anything_runs(pair: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        Parallel()([pair])


def test_an_example_that_does_not_know_its_inputs_is_no_call() -> None:
    with pytest.raises(DataError, match="inputs"):
        Parallel()._run((print, Example(a=1)))
