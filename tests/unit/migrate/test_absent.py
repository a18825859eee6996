"""Names of DSPy that dspex has not: the table, and the error that reads from it."""

from __future__ import annotations

import pytest

import dspex
from dspex.migrate.absent import ABSENT
from dspex.migrate.names import PACKAGES, home_of, split_chain
from tests.tools import dspy_names


def test_an_absent_name_says_what_to_write_where_it_is_asked_for() -> None:
    with pytest.raises(AttributeError, match=r"'ProgramOfThought': .*dspex\.ReAct"):
        _ = dspex.ProgramOfThought


def test_a_data_set_of_dspy_says_how_data_is_loaded() -> None:
    with pytest.raises(AttributeError, match=r"'HotPotQA': .*dspex\.load\("):
        _ = dspex.HotPotQA


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("Assert", r"dspex\.Refine\("),
        ("OpenAI", r'dspex\.LM\("openai/'),
        ("TypedPredictor", r"Write dspex\.Predict\."),
        ("MIPRO", r"Use dspex\.MIPROv2\."),
        ("retrievers", r"Call your search in forward\(\)"),
    ],
)
def test_a_name_of_an_older_dspy_says_what_took_its_place(
    name: str, instead: str
) -> None:
    with pytest.raises(AttributeError, match=rf"'{name}': .*{instead}"):
        getattr(dspex, name)


def test_a_package_of_dspy_says_where_its_names_stand() -> None:
    with pytest.raises(AttributeError, match=r"dspex\.NAME for dspy\.utils\.NAME"):
        _ = dspex.utils


def test_a_name_that_nobody_has_is_an_ordinary_error() -> None:
    with pytest.raises(AttributeError, match=r"has no attribute 'Nothing'$"):
        _ = dspex.Nothing


def test_no_name_is_called_absent_that_is_there() -> None:
    assert [name for name in ABSENT if home_of(name)] == []


def test_each_explanation_is_half_a_sentence_and_a_whole_one() -> None:
    wrong = [
        name
        for name, absent in ABSENT.items()
        if absent.reason.endswith(".")
        or not (absent.reason[0].islower() or absent.reason.startswith("DSPy"))
        or not absent.instead.endswith(".")
        or not absent.instead[0].isupper()
    ]

    assert wrong == []


def test_the_packages_are_those_of_dspy() -> None:
    modules = dspy_names.read()["modules"]
    inside = {name.split(".")[1] for name in modules if name.count(".") > 1}

    assert inside == PACKAGES


def test_every_module_of_dspy_is_passed_on_the_way_to_a_name() -> None:
    modules = [name.split(".")[1:] for name in dspy_names.read()["modules"]]
    inside = [path for path in modules if path and path[0] in PACKAGES]

    wrong = [
        path
        for path in inside
        if split_chain((*path, "Predict"))[1] != "Predict" and not home_of(path[-1])
    ]

    assert wrong == []
