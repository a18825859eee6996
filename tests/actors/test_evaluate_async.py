"""Async programs and metrics in evaluations, and evaluations on a loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import dspex
from dspex.core.errors import EvaluationCancelledError, EvaluationError
from dspex.evaluate.results.outcome import OutcomeKind
from dspex.testing import FakeProvider
from supervisors import DynamicSupervisor
from tests.actors.rows import answer, right, rows

PATIENT = 20.0


@pytest.fixture
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(dspex.Config(persist=False)) as running:
        yield running


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=answer) as running:
        yield running


@pytest.fixture
def lm(provider: FakeProvider, runtime: dspex.Runtime) -> dspex.LM:
    return dspex.LM("openai/fake", api_base=provider.base_url)


def evaluator(count: int, metric: Any = right, **options: Any) -> dspex.Evaluate:
    return dspex.Evaluate(
        devset=rows(count), metric=metric, display_progress=False, **options
    )


def predicted(question: str) -> dspex.Prediction:
    return dspex.Prediction(answer=question.replace("q", "a"))


async def apredicted(question: str) -> dspex.Prediction:
    await asyncio.sleep(0)
    return predicted(question)


async def aright(example: dspex.Example, prediction: Any) -> bool:
    await asyncio.sleep(0)
    return right(example, prediction)


class OnlyAsync(dspex.Program):
    async def aforward(self, question: str) -> dspex.Prediction:
        return await apredicted(question)


def loops_of(seen: list[Any], metric_too: bool = True) -> tuple[Any, Any]:
    """A program and a metric that note the loops they run on."""

    async def program(question: str) -> dspex.Prediction:
        seen.append(asyncio.get_running_loop())
        return predicted(question)

    async def metric(example: dspex.Example, prediction: Any) -> bool:
        seen.append(asyncio.get_running_loop())
        return right(example, prediction)

    return program, metric if metric_too else right


@pytest.mark.parametrize("program", [apredicted, OnlyAsync(), predicted])
@pytest.mark.parametrize("metric", [aright, right, {"one": aright, "two": right}])
@pytest.mark.usefixtures("runtime")
def test_every_example_is_scored_in_input_order(program: Any, metric: Any) -> None:
    evaluate = evaluator(40, metric, concurrency=8)

    called = evaluate(program)
    awaited = asyncio.run(evaluate.acall(program))

    for result in (called, awaited):
        assert result.score == 100.0
        assert result.complete
        assert [row[1].answer for row in result.results] == [f"a{n}" for n in range(40)]


@pytest.mark.usefixtures("runtime")
def test_acall_runs_on_the_callers_loop() -> None:
    seen: list[Any] = []
    program, metric = loops_of(seen)

    async def main() -> bool:
        await evaluator(10, metric).acall(program)
        return set(seen) == {asyncio.get_running_loop()}

    assert asyncio.run(main())
    assert len(seen) == 20


@pytest.mark.usefixtures("runtime")
def test_a_plain_call_runs_all_of_it_on_one_loop_of_the_run() -> None:
    seen: list[Any] = []
    program, metric = loops_of(seen)

    evaluator(10, metric)(program)

    assert len(set(seen)) == 1
    assert len(seen) == 20
    assert seen[0].is_closed()


@pytest.mark.usefixtures("runtime")
def test_a_plain_call_inside_a_running_loop_does_not_wait_for_itself() -> None:
    async def cell_of_a_notebook() -> dspex.EvaluationResult:
        return evaluator(10, aright)(apredicted)

    assert asyncio.run(cell_of_a_notebook()).score == 100.0


@pytest.mark.usefixtures("runtime")
def test_the_loop_goes_on_while_an_evaluation_is_awaited() -> None:
    turns = 0
    enough = threading.Event()

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            if turns == 50:
                enough.set()
            await asyncio.sleep(0.001)

    def waits_for_the_loop(question: str) -> dspex.Prediction:
        assert enough.wait(PATIENT)
        return predicted(question)

    async def main() -> float:
        counting = asyncio.create_task(count_turns())
        result = await evaluator(5).acall(waits_for_the_loop)
        counting.cancel()
        return result.score

    assert asyncio.run(main()) == 100.0


@pytest.mark.usefixtures("runtime")
def test_never_more_workers_than_concurrency() -> None:
    alive = most = 0

    async def program(question: str) -> dspex.Prediction:
        nonlocal alive, most
        alive += 1
        most = max(most, alive)
        for _ in range(3):
            await asyncio.sleep(0)
        alive -= 1
        return predicted(question)

    result = evaluator(60, aright, concurrency=4)(program)

    assert result.score == 100.0
    assert most == 4


def test_a_model_is_asked_from_the_loop(lm: dspex.LM, provider: FakeProvider) -> None:
    async def main() -> dspex.EvaluationResult:
        with dspex.context(lm=lm):
            predict = dspex.Predict("question -> answer")
            return await evaluator(30).acall(predict)

    result = asyncio.run(main())

    assert result.score == 100.0
    assert result.calls == 30
    assert len(provider.bill) == 30


@pytest.mark.usefixtures("runtime")
def test_failures_are_kept_with_their_example_and_stage() -> None:
    async def program(question: str) -> dspex.Prediction:
        await asyncio.sleep(0)
        if question == "q1":
            raise ZeroDivisionError("one")
        if question == "q2":
            raise asyncio.CancelledError
        return predicted(question)

    async def metric(example: dspex.Example, prediction: Any) -> bool:
        if example.question == "q3":
            raise SystemExit(3)
        return right(example, prediction)

    result = evaluator(6, metric)(program)

    kinds = {o.stamp.example: (o.kind, o.stage) for o in result.failures}
    assert kinds == {
        1: (OutcomeKind.PROGRAM, "program"),
        2: (OutcomeKind.PROGRAM, "program"),
        3: (OutcomeKind.METRIC, "metric"),
    }
    assert result.score == 50.0


@pytest.mark.parametrize("way", ["call", "acall"])
@pytest.mark.usefixtures("runtime")
def test_an_example_out_of_time_is_cancelled_for_real(way: str) -> None:
    cancelled: list[str] = []

    async def program(question: str) -> dspex.Prediction:
        if question == "q2":
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.append(question)
        return predicted(question)

    evaluate = evaluator(5, aright, timeout=1.0)
    result = (
        evaluate(program) if way == "call" else asyncio.run(evaluate.acall(program))
    )

    (slow,) = result.failures
    assert (slow.stamp.example, slow.kind) == (2, OutcomeKind.TIMEOUT)
    assert cancelled == ["q2"]


@pytest.mark.usefixtures("runtime")
def test_a_coroutine_that_ignores_its_cancellation_holds_nobody_up() -> None:
    released = threading.Event()

    async def program(question: str) -> dspex.Prediction:
        while question == "q2" and not released.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue
        return predicted(question)

    result = evaluator(5, aright, timeout=1.0, concurrency=2)(program)
    released.set()

    assert [o.stamp.example for o in result.failures] == [2]


@pytest.mark.usefixtures("runtime")
def test_a_plain_metric_that_hangs_blocks_no_loop() -> None:
    released = threading.Event()

    def metric(example: dspex.Example, prediction: Any) -> bool:
        if example.question == "q0":
            released.wait(PATIENT)
        return right(example, prediction)

    evaluate = evaluator(10, metric, timeout=1.0, concurrency=2)
    result = asyncio.run(evaluate.acall(apredicted))
    released.set()

    assert [o.stamp.example for o in result.failures] == [0]


@pytest.mark.usefixtures("runtime")
def test_workers_see_the_callers_context_and_not_each_others() -> None:
    variable = contextvars.ContextVar("variable", default="unset")
    seen: list[str] = []

    async def program(question: str) -> dspex.Prediction:
        seen.append(variable.get())
        variable.set(question)
        await asyncio.sleep(0)
        assert variable.get() == question
        return predicted(question)

    variable.set("callers")
    result = evaluator(20, aright, concurrency=3)(program)

    assert result.score == 100.0
    assert set(seen) == {"callers"}
    assert variable.get() == "callers"


def children_of_evaluations(runtime: dspex.Runtime) -> tuple[Any, ...]:
    registry = runtime.start().registry
    return tuple(DynamicSupervisor(registry, "evaluations").which_children())


def test_cancelling_the_task_ends_the_run_and_keeps_what_was_measured(
    runtime: dspex.Runtime,
) -> None:
    cancelled: list[str] = []
    stuck = asyncio.Event()

    async def program(question: str) -> dspex.Prediction:
        if int(question[1:]) >= 10:
            stuck.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.append(question)
        return predicted(question)

    async def main() -> None:
        evaluate = evaluator(20, aright, concurrency=1)
        task = asyncio.create_task(evaluate.acall(program))
        await stuck.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert task.cancelled()
        assert isinstance(caught.value.__cause__, EvaluationCancelledError)
        result = caught.value.__cause__.result
        kinds = [o and o.kind.value for o in result.outcomes]
        assert kinds == ["scored"] * 10 + ["cancelled"] + [None] * 9
        assert "10 of 20" in str(caught.value.__cause__)
        again = await evaluate.acall(apredicted, resume=result)
        assert again.complete

    asyncio.run(main())

    assert cancelled == ["q10"]
    assert children_of_evaluations(runtime) == ()


@pytest.mark.usefixtures("runtime")
def test_a_timeout_around_an_evaluation_leads_to_what_was_measured() -> None:
    async def program(question: str) -> dspex.Prediction:
        if question == "q3":
            await asyncio.Event().wait()
        return predicted(question)

    async def main() -> Any:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.5):
                await evaluator(5, aright, concurrency=1).acall(program)
        cancelled = caught.value.__cause__
        assert type(cancelled) is asyncio.CancelledError
        return cancelled.__cause__

    cause = asyncio.run(main())

    assert isinstance(cause, EvaluationCancelledError)
    kinds = [o and o.kind.value for o in cause.result.outcomes]
    assert kinds == ["scored"] * 3 + ["cancelled", None]


def test_cancelled_while_it_begins_it_leaves_nothing(runtime: dspex.Runtime) -> None:
    async def main() -> None:
        task = asyncio.create_task(evaluator(5, aright).acall(apredicted))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert children_of_evaluations(runtime) == ()


@pytest.mark.usefixtures("runtime")
def test_too_many_errors_are_one_error_with_the_result() -> None:
    async def program(question: str) -> dspex.Prediction:
        raise ZeroDivisionError

    async def main() -> None:
        with pytest.raises(EvaluationError) as caught:
            await evaluator(100, aright, max_errors=3, concurrency=1).acall(program)
        assert len(caught.value.result.failures) >= 3

    asyncio.run(main())


@pytest.mark.usefixtures("runtime")
def test_an_evaluation_inside_a_program_of_another() -> None:
    async def program(question: str) -> dspex.Prediction:
        inner = await evaluator(3, aright).acall(apredicted)
        assert inner.score == 100.0
        return predicted(question)

    assert evaluator(4, aright, concurrency=2)(program).score == 100.0


@pytest.mark.parametrize("way", ["call", "acall", "call on a loop"])
def test_debug_raises_the_users_own_error(way: str) -> None:
    async def program(question: str) -> dspex.Prediction:
        if question == "q1":
            raise ZeroDivisionError("mine")
        return predicted(question)

    evaluate = evaluator(3, aright, debug=True)

    async def on_a_loop() -> Any:
        return evaluate(program)

    ways: dict[str, Any] = {
        "call": lambda: evaluate(program),
        "acall": lambda: asyncio.run(evaluate.acall(program)),
        "call on a loop": lambda: asyncio.run(on_a_loop()),
    }
    with pytest.raises(ZeroDivisionError, match="mine"):
        ways[way]()
    assert evaluate(apredicted).score == 100.0


@pytest.mark.usefixtures("runtime")
def test_callbacks_hear_of_an_evaluation_that_is_awaited() -> None:
    heard: list[Any] = []

    class Ear(dspex.BaseCallback):
        def on_evaluate_start(self, call_id: str, instance: Any, inputs: Any) -> None:
            heard.append(inputs["callback_metadata"])

        def on_evaluate_end(
            self, call_id: str, outputs: Any, exception: Any = None
        ) -> None:
            heard.append(outputs.score)

    async def main() -> None:
        with dspex.context(callbacks=[Ear()]):
            await evaluator(2).acall(apredicted, callback_metadata={"run": 7})

    asyncio.run(main())

    assert heard == [{"run": 7}, 100.0]


def test_a_loop_that_is_killed_is_replaced_and_charged_to_nobody(
    runtime: dspex.Runtime,
) -> None:
    loops: list[Any] = []
    all_wait, killed = threading.Event(), threading.Event()

    async def program(question: str) -> dspex.Prediction:
        loops.append(asyncio.get_running_loop())
        if len(loops) == 4:
            all_wait.set()
        if not killed.is_set():
            await asyncio.Event().wait()
        return predicted(question)

    def kill_the_loop() -> None:
        assert all_wait.wait(PATIENT)
        registry = runtime.start().registry
        (name,) = [name for name in registry.names() if str(name).endswith("/loop")]
        killed.set()
        registry.resolve(name).kill()

    killer = threading.Thread(target=kill_the_loop)
    killer.start()
    result = evaluator(30, aright, concurrency=4)(program)
    killer.join(PATIENT)

    assert result.score == 100.0
    assert len(set(loops)) == 2
    attempts = [o.stamp.attempt for o in result.outcomes if o]
    assert sorted(attempts) == [1] * 26 + [2] * 4


@pytest.mark.parametrize("part", ["/coordinator", "/aggregator", "/workers"])
def test_a_part_of_the_run_that_is_killed_costs_no_outcome(
    part: str, runtime: dspex.Runtime
) -> None:
    begun = 0
    some = threading.Event()

    async def program(question: str) -> dspex.Prediction:
        nonlocal begun
        begun += 1
        if begun == 20:
            some.set()
        await asyncio.sleep(0.002)
        return predicted(question)

    def kill_it() -> None:
        assert some.wait(PATIENT)
        registry = runtime.start().registry
        (name,) = [name for name in registry.names() if str(name).endswith(part)]
        registry.resolve(name).kill()

    killer = threading.Thread(target=kill_it)
    killer.start()
    result = evaluator(100, aright, concurrency=4)(program)
    killer.join(PATIENT)

    assert result.score == 100.0
    assert result.complete
