"""Evaluation while parts of the tree are killed: counted once, nothing lost."""

from __future__ import annotations

import contextvars
import itertools
import threading
from collections.abc import Callable, Iterator

import pytest

import dspex
from dspex.client.call import Fate
from dspex.client.client_actor import ClientActor
from dspex.evaluate.results.result import EvaluationResult
from dspex.testing import FakeProvider
from supervisors import Event
from tests.actors.rows import answer, right, rows

COUNT = 200


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=answer, latency=0.01) as running:
        yield running


class Killer:
    """Kills actors by name while requests are in flight, one after the other."""

    def __init__(self, runtime: dspex.Runtime, provider: FakeProvider) -> None:
        self._runtime = runtime
        self._provider = provider
        self._restarted = threading.Semaphore(0)
        runtime.events.attach(self._note, ("supervisors", "child", "restart"))
        self.kills = 0

    def _note(self, event: Event) -> None:
        self._restarted.release()

    def kill(self, ending: str, *, received: int) -> None:
        """Kill the actor of that name once so many requests have been received."""
        self._provider.wait_for_bill(received, 30)
        names = self._runtime.start().registry.names()
        (name,) = [name for name in names if name.endswith(ending)]
        ref = self._runtime.start().registry.resolve(name)
        assert ref.kill()
        self.kills += 1
        assert self._restarted.acquire(timeout=30), f"{ending} did not come back"


def evaluated_while(
    provider: FakeProvider, script: Callable[[Killer], None]
) -> tuple[EvaluationResult, Killer]:
    """Evaluate 200 examples while the script kills what it likes."""
    with dspex.Runtime() as runtime:
        lm = dspex.LM("openai/fake", api_base=provider.base_url)
        killer = Killer(runtime, provider)
        failed: list[BaseException] = []

        def run_script() -> None:
            try:
                script(killer)
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=run_script)
        evaluate = dspex.Evaluate(
            devset=rows(COUNT), metric=right, concurrency=16, display_progress=False
        )
        thread.start()
        with dspex.context(lm=lm):
            result = evaluate(dspex.Predict("question -> answer"))
        thread.join(30)
    assert failed == []
    return result, killer


def check_counted_once(result: EvaluationResult, provider: FakeProvider) -> None:
    """What every run must show, whatever was killed in it."""
    assert result.score == 100.0
    assert result.complete
    assert len(result.outcomes) == COUNT
    assert [row[1].answer for row in result.results] == [f"a{n}" for n in range(COUNT)]
    # Each billed request is in the run's record, and each record has its fate.
    assert {billed.request_id for billed in provider.bill} <= set(result.requests)
    assert Fate.OPEN not in result.fates()
    answered = [r for r in result.requests.values() if r.fate is Fate.ANSWERED]
    assert len(answered) == COUNT


def test_client_killed_five_times_and_cache_three_times(
    provider: FakeProvider,
) -> None:
    def script(killer: Killer) -> None:
        for number, ending in enumerate(
            [
                "/client",
                "memory",
                "/client",
                "/client",
                "memory",
                "/client",
                "/client",
                "memory",
            ]
        ):
            killer.kill(ending, received=10 + 20 * number)

    result, killer = evaluated_while(provider, script)

    check_counted_once(result, provider)
    assert killer.kills == 8
    assert result.restarts == 8
    # A killed client adopts what the wire has open, so nothing is paid twice. One that
    # dies with a request in hand never sends it, and the next one sends it instead.
    assert set(result.fates()) <= {Fate.ANSWERED, Fate.RESTARTED}
    assert len(provider.bill) == COUNT


def test_a_client_killed_while_it_starts_is_charged_to_no_example(
    provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, starts = ClientActor.on_start, itertools.count()

    def dies_at_first(client: ClientActor) -> None:
        if not next(starts):
            client.actor_ref.kill()
        start(client)

    monkeypatch.setattr(ClientActor, "on_start", dies_at_first)

    result, _ = evaluated_while(provider, lambda _killer: None)

    check_counted_once(result, provider)


def test_wire_killed_three_times(provider: FakeProvider) -> None:
    def script(killer: Killer) -> None:
        for number in range(3):
            killer.kill("/wire", received=20 + 50 * number)

    result, _ = evaluated_while(provider, script)

    check_counted_once(result, provider)
    lost = result.fates()[Fate.RESTARTED]
    assert lost > 0
    assert len(provider.bill) <= COUNT + lost


@pytest.mark.parametrize("ending", ["/aggregator", "/coordinator", "/workers"])
def test_a_part_of_the_run_killed_three_times(
    provider: FakeProvider, ending: str
) -> None:
    def script(killer: Killer) -> None:
        for number in range(3):
            killer.kill(ending, received=20 + 50 * number)

    result, killer = evaluated_while(provider, script)

    assert result.score == 100.0
    assert result.complete
    assert [row[1].answer for row in result.results] == [f"a{n}" for n in range(COUNT)]
    assert killer.kills == 3
    assert {billed.request_id for billed in provider.bill} <= set(result.requests)


def test_workers_killed_from_outside_are_not_charged(provider: FakeProvider) -> None:
    provider.pause()
    with dspex.Runtime() as runtime:
        lm = dspex.LM("openai/fake", api_base=provider.base_url)
        finished: list[EvaluationResult] = []

        def evaluate() -> None:
            with dspex.context(lm=lm):
                evaluation = dspex.Evaluate(
                    devset=rows(20), metric=right, concurrency=8, display_progress=False
                )
                finished.append(evaluation(dspex.Predict("question -> answer")))

        thread = threading.Thread(
            target=contextvars.copy_context().run, args=(evaluate,)
        )
        thread.start()
        provider.wait_for_in_flight(8, 30)
        run = runtime.tree().find("evaluations")
        assert run is not None
        names = runtime.start().registry.names()
        (workers,) = [name for name in names if name.endswith("/workers")]
        shown = runtime.start().registry.resolve(workers).life.children()
        for status in shown.statuses[:4]:
            status.ref.kill()
        provider.resume()
        thread.join(30)

    (result,) = finished
    assert result.score == 100.0
    assert sorted(o.stamp.attempt for o in result.outcomes if o) == [1] * 16 + [2] * 4


def test_a_deadline_outlives_the_coordinator_that_set_it() -> None:
    released, working = threading.Event(), threading.Event()

    def program(question: str) -> dspex.Prediction:
        if question == "q0":
            working.set()
            released.wait(30)
        return dspex.Prediction(answer=question.replace("q", "a"))

    with dspex.Runtime() as runtime:

        def kill_coordinator() -> None:
            assert working.wait(30)
            names = runtime.start().registry.names()
            (name,) = [name for name in names if name.endswith("/coordinator")]
            runtime.start().registry.resolve(name).kill()

        thread = threading.Thread(target=kill_coordinator)
        thread.start()
        evaluate = dspex.Evaluate(
            devset=rows(3),
            metric=right,
            concurrency=1,
            timeout=1.0,
            display_progress=False,
        )
        result = evaluate(program)
        released.set()
        thread.join(30)

    assert [o.stamp.example for o in result.failures] == [0]
    assert "1 timeout" in str(result)
    assert result.restarts == 1
