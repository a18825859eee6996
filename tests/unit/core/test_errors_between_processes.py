"""Errors that leave a worker process: whole, and without harm to its pool."""

from __future__ import annotations

import copy
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

from dspex.core.errors import (
    AdapterParseError,
    DspexError,
    LMTimeoutError,
    RunChangedError,
    ToolExecutionError,
    UnexpectedInputError,
)
from dspex.core.signature import InputField, OutputField, Signature, make_signature


class Capital(Signature):
    """A signature that another process finds by its name."""

    country: str = InputField()
    capital: str = OutputField()


def wrong_input() -> None:
    raise UnexpectedInputError("'c' is no input", unexpected=("c",), known=("a",))


def no_answer_to_a_text() -> None:
    raise AdapterParseError(
        "ChatAdapter", make_signature("a -> b"), "?", "b is missing"
    )


def no_answer_to_a_class() -> None:
    raise AdapterParseError("ChatAdapter", Capital, "?", "no capital", {"n": 1})


def raised_by(work: Callable[[], None]) -> Any:
    with pytest.raises(DspexError) as caught:
        work()
    return caught.value


@pytest.mark.parametrize(
    "error",
    [
        raised_by(wrong_input),
        raised_by(no_answer_to_a_text),
        ToolExecutionError("it raised", tool="search"),
        RunChangedError("it differs", run="r", changes=("the metric",)),
        LMTimeoutError("silence", model="openai/m", retry_after=1.5),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_copied_with_all_its_facts(error: DspexError) -> None:
    error.add_note("seen by the host")

    again = copy.copy(error)

    assert type(again) is type(error)
    assert (str(again), again.args) == (str(error), error.args)
    assert vars(again) == vars(error)


def test_an_error_comes_out_of_a_process_pool_as_it_went_in() -> None:
    fork_free = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fork_free) as pool:
        works = (wrong_input, no_answer_to_a_text, no_answer_to_a_class)
        errors: list[Any] = [pool.submit(work).exception(60) for work in works]

    unexpected, of_text, of_class = errors
    assert (unexpected.unexpected, unexpected.known) == (("c",), ("a",))
    assert (of_text.signature, of_text.expected) == ("a -> b", ("b",))
    assert (of_class.signature, of_class.parsed_result) == (Capital, {"n": 1})
    for error, work in zip(errors, works, strict=True):
        assert str(error) == str(raised_by(work))
