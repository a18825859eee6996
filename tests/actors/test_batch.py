"""Many calls at once: `Program.batch`, and what it shares with `Parallel`."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import dspex
from dspex.testing import DummyLM

WITHIN = 10.0
"""Seconds after which a wait in these tests counts as a hang."""


@pytest.fixture(autouse=True)
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(dspex.Config(persist=False)) as opened:
        yield opened


def rows(*values: int) -> list[dspex.Example]:
    return [dspex.Example(value=value).with_inputs("value") for value in values]


class Half(dspex.Program):
    """Halves what can be halved."""

    def forward(self, value: int) -> int:
        if value % 2:
            raise ValueError(f"{value} is odd")
        return value // 2


def test_results_come_in_the_order_of_the_examples() -> None:
    assert Half().batch(rows(*range(0, 60, 2)), num_threads=5) == list(range(30))


def test_mappings_are_inputs_too() -> None:
    assert Half().batch([{"value": 4}]) == [2]
    assert Half().batch([]) == []


def test_a_failure_is_none_and_is_told_on_demand() -> None:
    examples = rows(2, 3, 4)

    results, failed, errors = Half().batch(examples, return_failed_examples=True)

    assert results == [1, None, 2]
    assert failed == [examples[1]]
    assert [str(error) for error in errors] == ["3 is odd"]
    assert Half().batch(examples) == [1, None, 2]


@pytest.mark.parametrize("provide_traceback", [True, False])
def test_a_failure_is_logged_with_its_traceback_on_demand(
    provide_traceback: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        Half().batch(rows(3), provide_traceback=provide_traceback)

    assert "Half 0 failed: ValueError: 3 is odd" in caplog.text
    assert ("Traceback" in caplog.text) is provide_traceback


def test_as_many_failures_as_may_end_the_batch_with_what_was_done() -> None:
    with pytest.raises(dspex.BatchError, match="allow more with max_errors") as ended:
        Half().batch(rows(2, 3, 5, *range(0, 200, 2)), num_threads=1, max_errors=2)

    assert ended.value.results[:3] == [1, None, None]
    assert ended.value.results[-1] is None
    assert sorted(ended.value.failures) == [1, 2]
    assert isinstance(ended.value.__cause__, ValueError)


def test_the_settings_say_how_many_errors_are_allowed() -> None:
    with dspex.context(max_errors=1), pytest.raises(dspex.BatchError):
        Half().batch(rows(3))


def test_an_example_that_takes_too_long_has_failed() -> None:
    over = threading.Event()

    class Slow(dspex.Program):
        def forward(self, value: int) -> int:
            if value:
                over.wait(WITHIN)
            return value

    results, failed, errors = Slow().batch(
        rows(0, 1), timeout=0.5, return_failed_examples=True
    )
    over.set()

    assert results == [0, None]
    assert failed[0].value == 1
    assert isinstance(errors[0], dspex.WorkTimeoutError)


def test_a_call_sees_the_callers_settings_and_leaks_none_to_the_next() -> None:
    class Nosy(dspex.Program):
        def forward(self, value: int) -> tuple[int, Any]:
            seen = dspex.settings.max_errors, dspex.settings.trace
            leak = dspex.context(max_errors=99, trace=[value])
            leak.__enter__()
            return seen

    with dspex.context(max_errors=5):
        seen = Nosy().batch(rows(*range(20)), num_threads=1)

    assert seen == [(5, None)] * 20


def test_usage_of_all_calls_is_seen_around_a_batch() -> None:
    class Counted(DummyLM):
        def forward(self, messages: Any, **settings: Any) -> dspex.Reply:
            usage = dspex.Usage(prompt_tokens=3, completion_tokens=2)
            return dspex.Reply(texts=("[[ ## b ## ]]\nyes",), usage=usage)

    with dspex.context(lm=Counted([])), dspex.track_usage() as usage:
        dspex.Predict("a -> b").batch([{"a": str(n)} for n in range(8)])

    assert usage.total()["dummy"].total_tokens == 40


def test_batches_may_be_nested_deeper_than_there_are_threads() -> None:
    class Outer(dspex.Program):
        def forward(self, value: int) -> Any:
            if not value:
                return 1
            return sum(self.batch([{"value": value - 1}] * 2, num_threads=1))

    assert Outer().batch(rows(4), num_threads=1) == [16]


def test_a_batch_inside_an_evaluation_counts_as_the_evaluations_calls() -> None:
    provider = dspex.testing.FakeProvider(answer=lambda _: "[[ ## b ## ]]\nyes")

    class Voter(dspex.Program):
        def __init__(self) -> None:
            self.ask = dspex.Predict("a -> b")

        def forward(self, a: str) -> Any:
            return self.ask.batch([{"a": f"{a}{n}"} for n in range(3)])[0]

    def right(example: Any, prediction: Any) -> bool:
        return bool(prediction.b == "yes")

    with provider:
        lm = dspex.LM(
            "openai/x", api_base=provider.base_url, api_key="sk-1", cache=False
        )
        with dspex.context(lm=lm):
            result = dspex.Evaluate(
                devset=dspex.load([{"a": "x"}, {"a": "y"}], inputs=["a"]), metric=right
            )(Voter())

    assert result.score == 100.0
    assert len(result.requests) == 6


@pytest.mark.skipif(os.name == "nt", reason="there, Ctrl-C is not sent to a process")
def test_ctrl_c_ends_a_batch_at_once_with_what_was_done() -> None:
    hold = threading.Event()

    class Stuck(dspex.Program):
        def forward(self, value: int) -> int:
            if value == 1:
                os.kill(os.getpid(), signal.SIGINT)
                hold.wait(WITHIN)
            return value

    with pytest.raises(dspex.BatchInterrupted) as interrupted:
        Stuck().batch(rows(7, 1, *range(2, 50)), num_threads=1)
    hold.set()

    assert interrupted.value.results[:3] == [7, None, None]
    assert "1 of 50 done" in str(interrupted.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_threads": 0}, "concurrency is 0"),
        ({"max_errors": 0}, "max_errors is 0"),
        ({"timeout": 0}, "timeout is 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(dspex.ConfigurationError, match=message):
        Half().batch(rows(2), **options)


def test_what_is_no_example_is_named_before_any_call() -> None:
    examples: Any = [{"value": 2}, 3]

    with pytest.raises(dspex.ConfigurationError, match=r"examples\[1\] is 'int'"):
        Half().batch(examples)
    with pytest.raises(dspex.DataError):
        Half().batch([dspex.Example(value=2)])


def test_an_error_without_a_text_is_told_without_it() -> None:
    class Unspeakable(Exception):  # noqa: N818 - it has a name of its own
        def __str__(self) -> str:
            raise RuntimeError("no text")

    class Failing(dspex.Program):
        def forward(self, value: int) -> int:
            raise Unspeakable

    with pytest.raises(dspex.BatchError) as caught:
        Failing().batch(rows(1), max_errors=1)

    assert "cannot be shown" in str(caught.value)
    assert isinstance(caught.value.failures[0], Unspeakable)
