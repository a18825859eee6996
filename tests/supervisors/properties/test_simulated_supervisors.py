"""Thousands of interleavings of the supervisors' machines, each from one seed."""

from __future__ import annotations

import math
from typing import Any, Literal

import pytest

from supervisors import Actor, Backoff, ChildSpec, Intensity, Restart, Strategy
from supervisors._decide import AutoShutdown, Machine
from supervisors._decide_dynamic import DynamicMachine
from supervisors._decide_simple import SimpleMachine
from supervisors._effects import ChildState
from supervisors.exits import KILLED, NORMAL, Failed, Shutdown
from supervisors.testing import (
    Pretended,
    Script,
    SimulatedSupervisor,
    Simulation,
    Sleep,
    explore,
    simulate,
)
from tests.supervisors.properties.size import times

SEEDS = range(times(1_000))
IDS = "abcd"
REASONS = (NORMAL, Shutdown(), Failed("boom"), KILLED)
STARTS: tuple[Literal["up", "fails", "ignores"], ...] = (
    "fails",
    "ignores",
    *("up",) * 6,
)
ROUNDING = 1e-9
QUIET_AFTER = 30.0
"""Virtual seconds after which no child ends by itself any more."""


def behaviour(sim: Simulation) -> Any:
    """Children that start late, fail, end early and hang, as chance has it."""
    draw = sim.random

    def behave(spec: ChildSpec, number: int) -> Pretended:
        del spec
        calm = sim.now > QUIET_AFTER
        # Most first starts work, or there would be little to see.
        starts = calm or (number == 1 and draw.random() < 0.95)
        return Pretended(
            start="up" if starts else draw.choice(STARTS),
            start_seconds=draw.choice((*(0.0,) * 8, 0.5, 0.5, 40.0)),
            lives=math.inf if calm else draw.choice((0.0, 0.3, 2.0, 9.0, math.inf)),
            ends_with=draw.choice(REASONS),
            stop_seconds=draw.choice((0.0, 0.5, 10.0, math.inf)),
        )

    return behave


def random_spec(
    sim: Simulation,
    child_id: str,
    auto_shutdown: AutoShutdown,
    backoff: Backoff | None,
) -> ChildSpec:
    draw = sim.random
    restart = draw.choice(tuple(Restart))
    return ChildSpec(
        id=child_id,
        actor=Actor,
        restart=restart,
        shutdown=draw.choice(("brutal_kill", 0.0, 1.0, 5.0)),
        significant=auto_shutdown != "never"
        and restart is not Restart.PERMANENT
        and draw.random() < 0.5,
        backoff=backoff,
    )


def random_backoff(sim: Simulation) -> Backoff | None:
    return sim.random.choice((None, Backoff(initial=0.2, maximum=1.0)))


def random_intensity(sim: Simulation) -> Intensity:
    return Intensity(
        max_restarts=sim.random.choice((1, 3, 6, 50)),
        within=sim.random.choice((0.5, 5.0)),
    )


def random_auto_shutdown(sim: Simulation) -> AutoShutdown:
    choices: tuple[AutoShutdown, ...] = ("never", "any_significant", "all_significant")
    return sim.random.choice(choices)


def meddle(sim: Simulation, top: SimulatedSupervisor, asks: list[Any]) -> Script:
    """A stranger that kills children and gives orders at odd moments."""
    for _ in range(8):
        yield Sleep(sim.random.choice((0.0, 0.0, 0.1, 3.0)))
        if top.living and sim.random.random() < 0.5:
            top.end_child(sim.random.choice(top.living), sim.random.choice(REASONS))
        else:
            top.call(sim.random.choice(asks))


def check_history(top: SimulatedSupervisor, intensity: Intensity | None) -> None:
    """What holds for every supervisor, whatever happened.

    Without `intensity` restarts are not counted: those with a backoff count when they
    are planned, and starts may follow each other faster.
    """
    assert top.reason is not None, "it never ended"
    assert top.living == (), "children outlived it"
    ends = [each.child for each in top.history if each.what == "end"]
    assert len(set(ends)) == len(ends), "a child ended twice"
    if top.gave_up is None:
        assert isinstance(top.reason, Shutdown)
    if intensity is None:
        return
    allowed = intensity.max_restarts
    for first, last in zip(top.restarts, top.restarts[allowed:], strict=False):
        span = last - first
        assert span > intensity.within - ROUNDING, "more restarts than are allowed"


def one_at_a_time(top: SimulatedSupervisor) -> None:
    """Never do two incarnations of one static child live at once."""
    living: set[str] = set()
    for each in top.history:
        if each.what == "start":
            assert each.child.spec.id not in living
            living.add(each.child.spec.id)
        elif each.what == "end":
            living.discard(each.child.spec.id)


def run_and_stop(sim: Simulation, top: SimulatedSupervisor) -> None:
    sim.run()
    if top.reason is None:
        for status in top.machine.which_children():
            restart = status.spec.restart
            assert status.state is not ChildState.RESTARTING, "a restart was forgotten"
            if status.state is ChildState.UP:
                assert status.ref.ended is None, "an end was not heard of"
            else:
                assert restart is not Restart.TEMPORARY, "a temporary child was kept"
        before = len(top.history)
        youngest_first = [
            status.ref for status in top.machine.which_children() if status.ref
        ]
        top.stop()
        sim.run()
        ended = [each.child for each in top.history[before:]]
        if isinstance(top.machine, Machine):
            assert ended == youngest_first, "stopped out of order"
        else:
            assert set(ended) == set(youngest_first)


def static(sim: Simulation) -> None:
    auto_shutdown, backoff = random_auto_shutdown(sim), random_backoff(sim)
    specs = [
        random_spec(sim, child_id, auto_shutdown, backoff)
        for child_id in IDS[: sim.random.randint(0, 4)]
    ]
    intensity = random_intensity(sim)
    machine = Machine(
        specs,
        sim.random.choice(tuple(Strategy)),
        intensity,
        auto_shutdown,
        precise=True,
        jitter=sim.random.random,
    )
    top = SimulatedSupervisor(sim, machine, behaviour(sim))
    asks: list[Any] = [
        lambda machine, ask=ask, child_id=child_id: getattr(machine, ask)(child_id)
        for ask in ("terminate_child", "restart_child", "delete_child")
        for child_id in IDS
    ]
    asks.append(
        lambda machine: machine.start_child(
            random_spec(sim, "e", auto_shutdown, backoff)
        )
    )
    sim.spawn("stranger", meddle(sim, top, asks))

    run_and_stop(sim, top)

    check_history(top, None if backoff else intensity)
    one_at_a_time(top)
    order = [each.child.spec.id for each in top.history if each.what == "start"]
    first = order[: len(specs)]
    assert first == list(IDS[: len(first)]), "the first start was out of order"


def test_static_supervisors_keep_their_promises_in_every_interleaving() -> None:
    simulate(static, SEEDS)


def crowd(sim: Simulation, machine: Any, add: Any, intensity: Intensity | None) -> None:
    top = SimulatedSupervisor(sim, machine, behaviour(sim))

    def terminate(machine: Any) -> Any:
        statuses = machine.which_children()
        ref = sim.random.choice(statuses).ref if statuses else None
        if isinstance(machine, SimpleMachine):
            return machine.terminate_child(ref, lambda ref: bool(ref) and not ref.ended)
        return machine.terminate_child(ref)

    sim.spawn("stranger", meddle(sim, top, [add, add, add, terminate]))

    run_and_stop(sim, top)

    check_history(top, intensity)


def dynamic(sim: Simulation) -> None:
    intensity, backoff = random_intensity(sim), random_backoff(sim)
    machine = DynamicMachine(intensity, 3, precise=True, jitter=sim.random.random)

    def add(machine: Any) -> Any:
        assert len(machine) <= 3
        return machine.start_child(random_spec(sim, "job", "never", backoff))

    crowd(sim, machine, add, None if backoff else intensity)


def simple(sim: Simulation) -> None:
    intensity, backoff = random_intensity(sim), random_backoff(sim)
    auto_shutdown = random_auto_shutdown(sim)
    machine = SimpleMachine(
        random_spec(sim, "job", auto_shutdown, backoff),
        intensity,
        auto_shutdown,
        precise=True,
        jitter=sim.random.random,
    )
    counted = None if backoff else intensity
    crowd(sim, machine, lambda machine: machine.start_child((), {}), counted)


@pytest.mark.parametrize("scenario", [dynamic, simple])
def test_crowds_keep_their_promises_in_every_interleaving(scenario: Any) -> None:
    simulate(scenario, SEEDS)


@pytest.mark.parametrize("strategy", Strategy)
def test_all_interleavings_of_two_crashes_end_with_both_children_up(
    strategy: Strategy,
) -> None:
    def scenario(sim: Simulation) -> None:
        specs = [ChildSpec(id=child_id, actor=Actor) for child_id in "ab"]
        many = Intensity(max_restarts=9)
        machine = Machine(specs, strategy, many)
        top = SimulatedSupervisor(sim, machine, lambda spec, number: Pretended())
        sim.run()
        for child in top.living:
            sim.spawn(f"kills {child}", kill(top, child))

        sim.run()

        assert [child.spec.id for child in top.living] == ["a", "b"] or (
            strategy is Strategy.ONE_FOR_ONE and len(top.living) == 2
        )
        assert all(child.number > 1 for child in top.living)
        one_at_a_time(top)

    def kill(top: SimulatedSupervisor, child: Any) -> Script:
        yield Sleep()
        top.end_child(child, KILLED)

    assert explore(scenario, limit=times(300)).runs > 10
