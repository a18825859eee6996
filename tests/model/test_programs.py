"""Programs on the real, embedded model: what a schema makes possible."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest

import dspex
from dspex.client.local.models import resolve_local
from dspex.core.home import home
from dspex.demo.tasks import demo_task

pytestmark = pytest.mark.model

MODEL = "local/gemma-3-270m"
ASKED = 20
DEMOS = [
    {
        "country": country,
        "reasoning": f"{country} is in {continent}, and is governed from {capital}.",
        "capital": capital,
    }
    for country, continent, capital in [
        ("Peru", "South America", "Lima"),
        ("Japan", "Asia", "Tokyo"),
        ("Egypt", "Africa", "Cairo"),
    ]
]


@pytest.fixture(scope="module", autouse=True)
def _assembled() -> None:
    """Put the weights together once, and not inside a test's patience."""
    resolve_local("gemma-3-270m").prepare(home())


@pytest.fixture
def _lm() -> Iterator[None]:
    with dspex.Runtime(), dspex.context(lm=dspex.LM(MODEL, cache=False)):
        yield


def thinker() -> dspex.Module:
    program = dspex.ChainOfThought("country -> capital")
    for predictor in program.predictors():
        predictor.demos = DEMOS
    return program


@pytest.mark.usefixtures("_lm")
def test_chain_of_thought_through_json_parses_twenty_of_twenty(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = {demo["country"] for demo in DEMOS}
    known = [row for row in demo_task("capitals").dev if row.country not in shown]
    evaluate = dspex.Evaluate(
        devset=known[:ASKED],
        metric=dspex.metrics.exact_match("capital"),
        concurrency=4,
    )

    with dspex.context(adapter="json"):
        result = evaluate(thinker())

    with capsys.disabled():
        print(f"\n{MODEL}, JSON, 3 demos: {result}")
    assert result.failures == ()
    assert result.complete
    assert len(result.results) == ASKED
    for _example, prediction, _score in result.results:
        assert prediction.reasoning
        assert prediction.capital


@pytest.mark.usefixtures("_lm")
@pytest.mark.parametrize("adapter", ["line", "json"])
def test_streamed_fields_are_those_of_an_unstreamed_answer(adapter: str) -> None:
    program = thinker()
    fields = ("reasoning", "capital")
    streamed = dspex.streamify(
        program,
        stream_listeners=[
            dspex.StreamListener(signature_field_name=name) for name in fields
        ],
        async_streaming=False,
    )

    with dspex.context(adapter=adapter):
        unstreamed = program(country="Chile", config={"temperature": 0.0})
        pieces = list(streamed(country="Chile", config={"temperature": 0.0}))

    *texts, prediction = pieces
    for name in fields:
        heard = "".join(
            piece.chunk for piece in texts if piece.signature_field_name == name
        )
        assert heard == prediction[name] == unstreamed[name]


POPULATIONS = {"Arequipa": 1_100_000, "Cusco": 430_000, "Lima": 10_000_000}


def step(city: str) -> dict[str, Any]:
    """Show how a question about a city is begun."""
    return {
        "question": f"How many people live in {city}?",
        "trajectory": "",
        "next_thought": f"I look up {city}.",
        "next_tool_name": "population",
        "next_tool_args": {"city": city},
    }


@pytest.mark.usefixtures("_lm")
def test_an_agent_calls_its_tool_with_arguments_that_fit_and_ends() -> None:
    asked: list[str] = []

    def population(city: Literal["Arequipa", "Cusco", "Lima"]) -> int:
        """Look up how many people live in a city."""
        asked.append(city)
        return POPULATIONS[city]

    agent = dspex.ReAct("question -> answer", tools=[population], max_iters=2)
    agent.react.demos = [step("Lima"), step("Arequipa")]

    with dspex.context(adapter="json"):
        answer = agent(question="How many people live in Cusco?")

    assert asked, answer.trajectory
    assert set(asked) <= POPULATIONS.keys()
    assert answer.answer
    assert len(answer.trajectory) <= 2 * 4
