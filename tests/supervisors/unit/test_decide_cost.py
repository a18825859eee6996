"""What happens to one child costs the same however many others there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest

from supervisors._decide import Machine
from supervisors._decide_dynamic import DynamicMachine
from supervisors._decide_simple import SimpleMachine
from supervisors._effects import StartFailed
from supervisors.child_spec import Intensity
from supervisors.exits import Failed
from tests.supervisors.unit.driving import Driver, child

BOOM = Failed("boom")
LIMIT = Intensity(max_restarts=10)

AnyMachine = Machine | DynamicMachine | SimpleMachine


class Unread(dict[Any, Any]):
    """A dictionary to look things up in, never to go through."""

    def __iter__(self) -> Iterator[Any]:
        self._refuse()

    def keys(self) -> NoReturn:
        self._refuse()

    def values(self) -> NoReturn:
        self._refuse()

    def items(self) -> NoReturn:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise AssertionError("the children were gone through, one by one")


def _unread(machine: AnyMachine) -> AnyMachine:
    machine._children = Unread()
    return machine


def _with_specs(machine: Machine | DynamicMachine) -> tuple[AnyMachine, Any]:
    return _unread(machine), lambda: machine.start_child(child("t"))


def _static() -> tuple[AnyMachine, Any]:
    return _with_specs(Machine(intensity=LIMIT))


def _dynamic() -> tuple[AnyMachine, Any]:
    return _with_specs(DynamicMachine(LIMIT, max_children=5))


def _simple() -> tuple[AnyMachine, Any]:
    machine = SimpleMachine(child("t"), LIMIT)
    return _unread(machine), machine.start_child


@pytest.mark.parametrize("make", [_static, _dynamic, _simple])
def test_starts_ends_restarts_and_stops_look_at_one_child_only(
    make: Callable[[], tuple[AnyMachine, Any]],
) -> None:
    (machine, start), driver = make(), Driver()
    driver.run(start())
    ref = driver.ref_of("t")
    key = driver.keys[ref]

    del driver.alive[ref]
    driver.run(machine.child_ended(key, ref, BOOM, 0.0))
    ref = driver.ref_of("t")
    del driver.alive[ref]
    driver.starts["t"] = StartFailed(BOOM)
    driver.run(machine.child_ended(key, ref, BOOM, 0.0))
    driver.starts.clear()
    driver.run(machine.retry(key, 0.0))
    named: Any = "t" if isinstance(machine, Machine) else driver.ref_of("t")
    driver.run(machine.terminate_child(named))

    assert driver.did() == [
        "start t",
        "start t",
        "start t",
        f"retry {key}",
        "start t",
        "stop t",
    ]


def test_going_through_the_children_would_be_noticed() -> None:
    machine, start = _dynamic()
    Driver().run(start())

    with pytest.raises(AssertionError, match="one by one"):
        machine.which_children()
