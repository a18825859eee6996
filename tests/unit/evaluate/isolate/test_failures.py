"""Errors that cross to another process come out as what they were."""

from __future__ import annotations

import json

import pytest

from dspex.core.errors import (
    AdapterParseError,
    BudgetExceededError,
    DspexError,
    LMRateLimitError,
    LMServerError,
)
from dspex.core.signature import make_signature
from dspex.evaluate.isolate.failures import ElsewhereError, Failure
from dspex.evaluate.results.outcome import kind_of


def there_and_back(error: BaseException) -> BaseException:
    line = json.loads(json.dumps(Failure.of(error, "program").line()))
    return Failure(**line).error()


@pytest.mark.parametrize(
    "error",
    [
        LMRateLimitError("slow down", model="openai/m", status=429, retry_after=1.5),
        LMServerError("broken", model="openai/m", attempts=3),
        BudgetExceededError("no money", budget="mine", limit="calls"),
        AdapterParseError("ChatAdapter", make_signature("a -> b"), "what"),
    ],
)
def test_an_error_of_dspex_keeps_class_text_and_facts(error: DspexError) -> None:
    made = there_and_back(error)

    assert type(made) is type(error)
    assert str(made) == str(error)
    assert kind_of(made, "program") is kind_of(error, "program")
    facts = {k: v for k, v in vars(error).items() if k != "signature"}
    assert facts.items() <= vars(made).items()


@pytest.mark.parametrize(
    "error", [ValueError("wrong"), KeyError("k"), OSError("gone"), RuntimeError()]
)
def test_an_error_of_python_keeps_its_class(error: Exception) -> None:
    assert type(there_and_back(error)) is type(error)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_what_ends_a_process_ends_none_on_the_other_side(
    kind: type[BaseException],
) -> None:
    made = there_and_back(kind("enough"))

    assert isinstance(made, ElsewhereError)
    assert (made.type, str(made)) == (kind.__name__, "enough")


def test_an_error_that_calls_itself_as_one_of_ours_is_none() -> None:
    class LMRateLimitError(Exception):
        pass

    assert isinstance(there_and_back(LMRateLimitError("mine")), ElsewhereError)
