"""A score under chaos is the score without it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import dspex
from dspex.cache.database import Database
from dspex.client.http_exchange import HttpExchange
from dspex.core.errors import ConfigurationError
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.results.result import EvaluationResult
from dspex.evaluate.working.attempt import Attempt
from dspex.testing import FakeProvider
from dspex.testing.chaos import (
    ChaosPlan,
    CrashChaos,
    DiskChaos,
    ProviderChaos,
    chaos,
)
from tests.actors.rows import answer, right, rows

SEAMS = (HttpExchange, Database, RunRecord, Attempt)


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=answer, latency=0.002) as running:
        yield running


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path) -> Iterator[dspex.Runtime]:
    with dspex.Runtime(dspex.Config(home=tmp_path)) as running:
        yield running


def evaluated(provider: FakeProvider, count: int = 40) -> EvaluationResult:
    lm = dspex.LM("openai/fake", api_base=provider.base_url)
    evaluate = dspex.Evaluate(
        devset=rows(count), metric=right, concurrency=8, display_progress=False
    )
    with dspex.context(lm=lm):
        return evaluate(dspex.Predict("question -> answer"))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_score_under_chaos_is_the_score_without_it(
    provider: FakeProvider, seed: int
) -> None:
    with chaos(ChaosPlan.everything(seed)) as report:
        disturbed = evaluated(provider)
    # Another tree, which has no answer in its memory.
    with dspex.Runtime(dspex.Config(persist=False)):
        clean = evaluated(provider)

    assert disturbed.digest == clean.digest
    assert disturbed.complete
    assert len(report.counts) > 5
    assert {billed.request_id for billed in provider.bill} <= {
        *disturbed.requests,
        *clean.requests,
    }


def test_lost_answers_are_asked_for_again_and_told(provider: FakeProvider) -> None:
    plan = ChaosPlan(provider=ProviderChaos(dropped=0.3), seed=5)

    with chaos(plan) as report:
        result = evaluated(provider)

    lost = report.counts["answers lost on the way"]
    assert lost > 0
    assert len(provider.bill) == 40 + lost
    assert result.score == 100.0


def test_a_part_that_is_to_die_dies_and_is_told(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    plan = ChaosPlan(crashes=CrashChaos(client=2, coordinator=1, within=5))

    # Five messages to the coordinator tell of 40 examples at most: there are so many
    # that it cannot die with the last of them, when nobody needs it again.
    with chaos(plan, runtime=runtime) as report:
        result = evaluated(provider, 100)

    assert report.counts["deaths of the client"] == 2
    assert report.counts["deaths of the coordinator"] == 1
    assert (report.missed, result.restarts) == ((), 3)
    assert result.score == 100.0
    # The coordinator's was in a branch that has gone since.
    assert runtime.restarts == 3


def test_a_full_disk_holds_a_run_up_and_costs_nothing(provider: FakeProvider) -> None:
    with chaos(ChaosPlan(disk=DiskChaos(full=2, seconds=0.1))) as report:
        result = evaluated(provider, 100)

    assert report.counts["times the disk was full"] > 0
    assert (result.score, len(provider.bill)) == (100.0, 100)


def test_nothing_of_it_is_left_afterwards(provider: FakeProvider) -> None:
    before = [dict(vars(kind)) for kind in SEAMS]

    with chaos(ChaosPlan.everything()):
        during = [dict(vars(kind)) for kind in SEAMS]

    assert all(one != other for one, other in zip(before, during, strict=True))
    assert [dict(vars(kind)) for kind in SEAMS] == before


def test_two_plans_at_a_time_are_refused() -> None:
    second = chaos(ChaosPlan())

    with chaos(ChaosPlan()), pytest.raises(ConfigurationError, match="one plan at a"):
        second.__enter__()

    with chaos(ChaosPlan()) as report:
        assert str(report) == "chaos with seed 0: nothing"
