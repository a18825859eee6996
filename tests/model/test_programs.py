"""Programs on the real, embedded model: what a schema makes possible."""

from __future__ import annotations

from collections.abc import Iterator

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
