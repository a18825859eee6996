"""The configuration is checked when it is made."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from dspex.core.errors import ConfigurationError
from dspex.runtime.config import Config

NUMBERS = [
    field.name
    for field in fields(Config)
    if field.name not in {"control", "home", "persist"}
]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_number_that_is_not_above_zero_is_refused_by_name(
    name: str, value: float
) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{name} is {value!r}; .* above"):
        Config(**{name: value})  # type: ignore[arg-type] # any field, any number


def test_defaults_are_valid_and_values_are_kept() -> None:
    assert Config().max_in_flight == 256
    assert Config(max_in_flight=3).max_in_flight == 3


def test_it_cannot_be_changed_afterwards() -> None:
    with pytest.raises(AttributeError):
        Config().max_in_flight = 1  # type: ignore[misc] # that is the point


def test_a_home_that_is_a_text_is_taken_as_a_path() -> None:
    assert Config(home="somewhere").home == Path("somewhere")  # type: ignore[arg-type] # as people write it
