"""A provider that is away in the middle of a run, for a while or for good."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import replace

import pytest

import dspex
from dspex.core.errors import CircuitOpenError, EvaluationError
from dspex.evaluate.results.outcome import OutcomeKind
from dspex.evaluate.running.why import Cause
from dspex.evaluate.scheduling import outage
from dspex.testing import OVERLOADED, FakeProvider, Status, Step
from tests.actors.lab import eventually
from tests.actors.rows import answer, right, rows
from tests.outages.play import WAYS, Outage, play

QUICK = dspex.Config(
    breaker_reset=0.1, max_outage=0.2, persist=False, branch_restarts=1_000
)
"""A client that soon gives up, so that an outage reaches the run."""


def evaluate(
    provider: FakeProvider, count: int, **options: object
) -> dspex.EvaluationResult:
    lm = dspex.LM("openai/fake", api_base=provider.base_url, num_retries=0)
    values = {"devset": rows(count), "metric": right, "concurrency": 8, **options}
    run = dspex.Evaluate(**values)  # type: ignore[arg-type] # what a test sets is right
    with dspex.context(lm=lm):
        return run(dspex.Predict("question -> answer"))


def test_an_outage_in_the_middle_loses_nothing_and_costs_a_few_attempts() -> None:
    with FakeProvider(answer=answer, latency=0.005) as provider:
        provider.play(Step(requests=60), Step(seconds=1.0, fault=OVERLOADED))
        with dspex.Runtime(QUICK):
            result = evaluate(provider, 200, max_outage=30.0)

        looks = sum(entry.status == 503 for entry in provider.bill) - 8
        extra = len(provider.bill) - 200

    assert (result.score, result.complete) == (100.0, True)
    assert all(o is not None and o.first_score is None for o in result.outcomes)
    # Besides the eight that were out, one at a time looked whether it was over.
    assert 0 < extra <= 8 + max(looks, 0)
    assert looks <= 12


def test_a_provider_that_hangs_up_and_comes_back_costs_little_more_than_was_out() -> (
    None
):
    with FakeProvider(answer=answer, latency=0.005) as provider:

        def outage() -> None:
            provider.wait_for_bill(60, 20)
            provider.stop()
            threading.Event().wait(0.7)
            provider.start()

        thread = threading.Thread(target=outage)
        thread.start()
        with dspex.Runtime(QUICK):
            result = evaluate(provider, 200, max_outage=30.0)
        thread.join()

        extra = len(provider.bill) - 200

    assert (result.score, result.complete) == (100.0, True)
    # A refused connection is on nobody's bill: what was out, and looks at the edges.
    assert extra <= 8


def test_a_provider_that_never_comes_back_ends_the_run_with_what_was_measured() -> None:
    with FakeProvider(answer=answer) as provider:
        provider.play(Step(requests=40), Step(fault=OVERLOADED))
        began = time.monotonic()
        with dspex.Runtime(QUICK):
            with pytest.raises(EvaluationError, match="max_outage") as caught:
                evaluate(provider, 200, max_outage=0.6)
            partial = caught.value.result
            burned = len(provider.bill) - 40
            looks = round((time.monotonic() - began) / QUICK.breaker_reset)

            provider.behave()
            lm = dspex.LM("openai/fake", api_base=provider.base_url)
            again = dspex.Evaluate(devset=rows(200), metric=right)
            with dspex.context(lm=lm):
                whole = again(dspex.Predict("question -> answer"), resume=partial)

    assert isinstance(caught.value.__cause__, dspex.LMError)
    assert not partial.complete
    kinds = [o.kind for o in partial.outcomes if o is not None]
    assert kinds.count(OutcomeKind.SCORED) == 40
    # Who was out stands as not measured. Who waited for the breaker and asked nobody is
    # as good as the rest, which was not begun.
    assert 0 < kinds.count(OutcomeKind.INFRASTRUCTURE) <= 8
    assert len(kinds) <= 40 + 8
    # A failure takes a place away; the rest are looks, one in a breaker's reset time.
    assert burned <= 8 + looks
    assert (whole.score, whole.complete) == (100.0, True)


def test_a_failed_call_pauses_a_run_as_soon_as_the_breaker_is_open() -> None:
    patient = replace(QUICK, max_outage=30.0)
    with FakeProvider(answer=answer) as provider:
        provider.play(Step(requests=40), Step(fault=OVERLOADED))
        lm = dspex.LM("openai/fake", api_base=provider.base_url, num_retries=0)
        evaluate = dspex.Evaluate(
            devset=rows(200), metric=right, concurrency=8, max_outage=30.0
        )
        with dspex.Runtime(patient), dspex.context(lm=lm):
            run = evaluate.start(dspex.Predict("question -> answer"))
            eventually(lambda: any(w.cause is Cause.OUTAGE for w in run.why()))
            provider.behave()
            result = run.result()

    assert (result.score, result.complete) == (100.0, True)


def test_who_waits_behind_the_breaker_when_a_run_ends_was_not_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outage, "LOOK_WITHIN", 0.6)
    patient = replace(QUICK, max_outage=30.0)
    with FakeProvider(answer=answer) as provider:
        provider.play(Step(requests=40), Step(fault=OVERLOADED))
        with (
            dspex.Runtime(patient),
            pytest.raises(EvaluationError, match="max_outage") as caught,
        ):
            evaluate(provider, 200, max_outage=0.6)

    told = [each for each in caught.value.result.outcomes if each is not None]
    assert sum(each.kind is OutcomeKind.SCORED for each in told) == 40
    # Those that were out, and whoever looked whether it is over.
    assert len(told) <= 40 + 8 + 2


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("retries", [None, 0])
def test_however_it_is_down_it_gets_few_more_requests_than_were_out(
    way: str, retries: int | None
) -> None:
    case = Outage(
        way=way,
        examples=160,
        down=0.4,
        concurrency=8,
        latency=0.01,
        retries=retries,
        # Only where nothing else ends a request, and long: a busy machine is slow too.
        timeout=4.0 if way == "silent" else None,
        # One of the two does for each way.
        is_async=retries is None,
    )

    bill = play(case, dspex.Config(breaker_reset=0.5, persist=False))

    assert (bill.scored, bill.failures) == (160, {})
    # On a busy machine it is down for longer than asked for, and one may look then.
    looks = int(bill.was_down / 0.5)
    assert bill.extra <= 8 + looks
    assert bill.sent <= 8 + looks


def test_a_deadline_that_passes_behind_an_open_breaker_is_not_the_examples_fault() -> (
    None
):
    config = dspex.Config(breaker_reset=0.1, max_outage=30.0, persist=False)
    with FakeProvider(answer=answer, latency=0.005) as provider:
        provider.play(Step(requests=30), Step(seconds=4.0, fault=OVERLOADED))
        lm = dspex.LM("openai/fake", api_base=provider.base_url, num_retries=9)
        run = dspex.Evaluate(
            devset=rows(100), metric=right, concurrency=8, timeout=3.0, max_outage=30.0
        )
        with dspex.Runtime(config), dspex.context(lm=lm):
            result = run(dspex.Predict("question -> answer"))

    assert (result.score, result.complete) == (100.0, True)


def test_a_provider_that_wants_an_hour_of_peace_ends_the_run_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outage, "LOOK_WITHIN", 0.3)
    with FakeProvider(answer=answer) as provider:
        provider.misbehave(Status(429, {"Retry-After": "3600"}), on=40, times=1)
        with dspex.Runtime(QUICK):
            with pytest.raises(EvaluationError, match=r"for 3\d{3} s") as caught:
                evaluate(provider, 200)
            partial = caught.value.result
            told = [each for each in partial.outcomes if each is not None]
            asked = len(provider.bill)

        # The hour is over.
        with dspex.Runtime(QUICK):
            lm = dspex.LM("openai/fake", api_base=provider.base_url)
            again = dspex.Evaluate(devset=rows(200), metric=right)
            with dspex.context(lm=lm):
                whole = again(dspex.Predict("question -> answer"), resume=partial)

    # It is counted from when the run took notice, a moment before or after.
    (advice,) = re.findall(r"max_outage=(\d+)", str(caught.value))
    assert 3590 <= int(advice) <= 3610
    assert isinstance(caught.value.__cause__, dspex.LMRateLimitError)
    # One was refused, what was out beside it was answered, and nobody asked again.
    lost = [each for each in told if each.kind is not OutcomeKind.SCORED]
    assert [each.stamp.attempt for each in lost] == [1]
    assert asked == len(told) <= 40 + 8
    assert (whole.score, whole.complete) == (100.0, True)


def test_a_provider_that_never_answered_is_told_with_where_it_was_looked_for() -> None:
    lm = dspex.LM("openai/fake", api_base="http://127.0.0.1:9/v1", api_key="sk-1")
    run = dspex.Evaluate(devset=rows(200), metric=right, concurrency=8, max_outage=0.2)
    with (
        dspex.Runtime(QUICK),
        dspex.context(lm=lm),
        pytest.raises(EvaluationError, match="It never answered") as caught,
    ):
        run(dspex.Predict("question -> answer"))

    assert "127.0.0.1:9" in str(caught.value)
    told = [each for each in caught.value.result.outcomes if each is not None]
    assert len(told) <= 8


def test_one_call_that_fails_is_tried_again_and_holds_nobody_up() -> None:
    with FakeProvider(answer=answer) as provider:
        provider.misbehave(OVERLOADED, on=7, times=1)
        with dspex.Runtime(QUICK):
            result = evaluate(provider, 50)

        assert len(provider.bill) == 51

    assert (result.score, result.complete) == (100.0, True)
    attempts = [o.stamp.attempt for o in result.outcomes if o is not None]
    assert sorted(attempts)[-2:] == [1, 2]


def test_an_open_circuit_says_for_how_long_it_has_been_open() -> None:
    with FakeProvider(answer=answer) as provider:
        provider.misbehave(OVERLOADED)
        with dspex.Runtime(replace(QUICK, breaker_failures=1)):
            lm = dspex.LM("openai/fake", api_base=provider.base_url)
            with pytest.raises(CircuitOpenError) as caught:
                lm("hi")

    assert caught.value.down_for >= 0.2
