"""`dry_run`: what a program would ask, without asking."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import dspex
from dspex.client.price import Price
from dspex.core.errors import ConfigurationError
from dspex.core.lm import Usage
from dspex.runtime.base_lm import BaseLM
from dspex.runtime.dry_run import DryRun, dry_run
from dspex.runtime.embedder import Embedder
from dspex.testing import FakeProvider

COUNTRIES = [
    dspex.Example(country=name).with_inputs("country")
    for name in ("Peru", "Chile", "Peru", "Cuba")
]


@pytest.fixture
def runtime() -> Iterator[dspex.Runtime]:
    prices = {"openai/m": Price(input=1.0, output=10.0)}
    with dspex.Runtime(dspex.Config(persist=False, prices=prices)) as runtime:
        yield runtime


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    answer = "[[ ## capital ## ]]\nLima\n\n[[ ## completed ## ]]"
    with FakeProvider(answer=lambda _messages: answer) as provider:
        yield provider


@pytest.fixture
def lm(provider: FakeProvider, runtime: dspex.Runtime) -> Iterator[dspex.LM]:
    lm = dspex.LM("openai/m", api_base=provider.base_url, max_tokens=50)
    with dspex.context(lm=lm):
        yield lm


class TwoSteps(dspex.Program):
    """Asks twice; the second question holds the first answer."""

    def __init__(self) -> None:
        self.find = dspex.Predict("country -> capital")
        self.rate = dspex.Predict("capital -> size: int, kinds: list[str]")

    def forward(self, country: str) -> Any:
        rated = self.rate(capital=self.find(country=country).capital)
        assert 1 / rated.size == len(rated.kinds)
        return rated


def test_nothing_is_asked_and_every_call_is_counted(
    lm: dspex.LM, provider: FakeProvider
) -> None:
    planned = dry_run(TwoSteps(), COUNTRIES)

    assert (planned.examples, planned.calls) == (4, 8)
    assert (planned.stopped, planned.problem) == (0, None)
    assert provider.bill == ()
    assert len(lm.history) == 0


@pytest.mark.usefixtures("lm")
def test_first_prompt_is_the_one_that_would_be_sent(provider: FakeProvider) -> None:
    program = dspex.Predict("country -> capital")

    planned = dry_run(program, COUNTRIES)
    program(country="Peru")

    sent = provider.bill[0].body["messages"]
    assert [turn.text for turn in planned.messages] == [
        turn["content"] for turn in sent
    ]
    assert planned.prompt.startswith("system:\n")
    assert "user:\n[[ ## country ## ]]\nPeru" in planned.prompt


@pytest.mark.usefixtures("lm")
def test_worst_case_is_added_up_for_what_needs_a_request() -> None:
    planned = dry_run(dspex.Predict("country -> capital"), COUNTRIES)

    assert (planned.calls, planned.cached) == (4, 1)  # Peru stands there twice
    assert planned.share_cached == 0.25
    assert planned.usage.completion_tokens == 3 * 50
    expected = planned.usage.prompt_tokens * 1e-6 + 150 * 10e-6
    assert planned.dollars == pytest.approx(expected)
    assert planned.unpriced == 0


@pytest.mark.usefixtures("lm")
def test_as_many_requests_are_made_as_were_foretold(provider: FakeProvider) -> None:
    program = dspex.Predict("country -> capital")

    planned = dry_run(program, COUNTRIES)
    for row in COUNTRIES:
        program(**row.inputs())

    assert len(provider.bill) == planned.calls - planned.cached


@pytest.mark.usefixtures("lm")
def test_what_the_cache_has_is_told_and_used(provider: FakeProvider) -> None:
    program = TwoSteps()
    program.find(country="Peru")

    planned = dry_run(program, COUNTRIES[:2])
    again = dry_run(program, COUNTRIES[:2])

    assert (planned.calls, planned.cached) == (4, 1)
    assert again == planned
    assert len(provider.bill) == 1


@pytest.mark.usefixtures("lm")
def test_rehearsal_keeps_nothing_in_the_cache(provider: FakeProvider) -> None:
    program = dspex.Predict("country -> capital")

    dry_run(program, COUNTRIES)

    assert program(country="Peru").capital == "Lima"
    assert len(provider.bill) == 1


@pytest.mark.usefixtures("lm")
def test_equal_questions_about_placeholders_are_all_counted() -> None:
    planned = dry_run(TwoSteps(), COUNTRIES[:2])

    assert (planned.calls, planned.cached) == (4, 0)


@pytest.mark.usefixtures("lm")
def test_metric_that_asks_is_counted_too() -> None:
    judge = dspex.Predict("capital -> right: bool")

    def metric(example: Any, prediction: Any) -> bool:
        return bool(judge(capital=prediction.capital).right)

    planned = dry_run(dspex.Predict("country -> capital"), COUNTRIES[:1], metric=metric)

    assert planned.calls == 2


@pytest.mark.usefixtures("lm")
def test_program_that_cannot_go_on_is_told_of() -> None:
    find = dspex.Predict("country -> capital")

    def program(country: str) -> str:
        return {"Lima": "yes"}[find(country=country).capital]

    planned = dry_run(program, COUNTRIES[:2])

    assert planned.stopped == 2
    assert isinstance(planned.problem, KeyError)
    assert "On 2 examples the program stopped early" in str(planned)


@pytest.mark.usefixtures("runtime")
def test_home_made_models_and_embedders_rehearse_too() -> None:
    asked: list[Any] = []

    class Mine(BaseLM):
        def forward(self, messages: list[dict[str, Any]], **settings: Any) -> Any:
            asked.append(messages)

    embed = Embedder(asked.append, name="mine", dimensions=3)
    lm = Mine("mine")

    def program(country: str) -> str:
        assert embed([country, "x"]) == [[1.0] * 3] * 2
        texts: list[str] = lm(country, n=2)
        return texts[1]

    planned = dry_run(program, COUNTRIES[:1])

    assert asked == []
    assert (planned.calls, planned.unpriced) == (2, 2)
    assert planned.usage.completion_tokens == 2 * 4096


@pytest.mark.usefixtures("lm")
def test_embedded_texts_in_the_cache_need_no_request() -> None:
    embed = Embedder(lambda texts: [[1.0]] * len(texts), name="ones")
    embed(["Peru"])

    def program(country: str) -> None:
        embed([country])

    planned = dry_run(program, COUNTRIES[:2])

    assert planned.calls == 1
    assert embed(["Chile"]) == [[1.0]]


@pytest.mark.usefixtures("runtime")
def test_model_whose_calls_cannot_be_held_back_is_refused() -> None:
    class Foreign:
        model, adapter = "foreign", None

        def complete(self, messages: Any, settings: Any) -> Any:
            raise AssertionError(messages)

        def dump_state(self) -> dict[str, Any]:
            return {}

    program = dspex.Predict("country -> capital")
    program.lm = Foreign()

    with pytest.raises(ConfigurationError, match="Make it a subclass of"):
        dry_run(program, COUNTRIES)


@pytest.mark.usefixtures("runtime")
def test_no_examples_and_no_model_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="no examples"):
        dry_run(dspex.Predict("country -> capital"), [])
    with dspex.context(lm=None), pytest.raises(ConfigurationError, match="No LM"):
        dry_run(dspex.Predict("country -> capital"), COUNTRIES)


def test_report_is_for_people() -> None:
    planned = DryRun(
        examples=20,
        calls=40,
        cached=10,
        usage=Usage(prompt_tokens=12_000, completion_tokens=3_000),
        dollars=0.0123,
        unpriced=2,
        stopped=0,
    )

    assert str(planned) == (
        "40 calls for 20 examples; 10 (25%) need no request.\n"
        "The other 30 take at most 12,000 tokens sent and 3,000 received, and cost at "
        "most $0.0123 beside 2 of unknown price."
    )


def test_trials_are_counted_each_as_a_draw_of_its_own(
    lm: dspex.LM, provider: FakeProvider
) -> None:
    found = dry_run(dspex.Predict("country -> capital"), COUNTRIES, trials=3)

    # Peru stands there twice; in each of the three draws it is asked once.
    assert (found.calls, found.cached, found.trials) == (12, 3, 3)
    assert "12 calls for 4 examples, 3 trials each" in str(found)
    assert not provider.bill


def test_async_programs_and_several_metrics_are_rehearsed_too(lm: dspex.LM) -> None:
    find, judge = dspex.Predict("country -> capital"), dspex.Predict("capital -> fine")

    class Later(dspex.Program):
        async def aforward(self, country: str) -> Any:
            return await find.acall(country=country)

    async def later(country: str) -> Any:
        return await find.acall(country=country)

    async def asks(_example: Any, prediction: Any) -> bool:
        return bool((await judge.acall(capital=prediction.capital)).fine)

    metrics = {"asks": asks, "no": lambda _example, _prediction: 1.0}

    of_program = dry_run(Later(), COUNTRIES[:2], metric=metrics)
    of_function = dry_run(later, COUNTRIES[:2], metric=asks)

    assert of_program.calls == of_function.calls == 4
    assert of_program.stopped == of_function.stopped == 0
