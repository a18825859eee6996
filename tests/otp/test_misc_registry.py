"""Our registry does what Elixir's `Registry` did, case by case.

Each recorded case has a function here that does the same with our parts and returns
what came of it in our words; `recorded` alone turns that into the words of the file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from supervisors import (
    Actor,
    ActorDownError,
    AlreadyRegisteredError,
    Entry,
    Handle,
    Ref,
    Registry,
    StartError,
    Supervisor,
    Updated,
)
from supervisors.testing import Probe
from tests.otp import trace
from tests.otp.trace import GOLDEN, Json
from tests.supervisors.actors.parts import WAIT, Scripted, worker

RECORDED = {
    case["name"]: case["result"]
    for case in trace.cases_in(GOLDEN / "misc_registry.json")
}


@dataclass(frozen=True)
class Found:
    """A value that was asked for and is there: Elixir's `{:ok, value}`."""

    value: Any


@dataclass
class World:
    """The actors of one case, ended with it."""

    refs: list[Ref[Any]] = field(default_factory=list)

    def actor(self) -> Ref[Any]:
        self.refs.append(Scripted.start())
        return self.refs[-1]

    def holder(self, names: Registry, key: str, value: Any) -> tuple[Ref[Any], Any]:
        """A new actor that registers, and what came of it."""
        ref = self.actor()
        return ref, attempt(lambda: names.register(key, ref, value))


Case = Callable[[World], Any]
OURS: dict[str, Case] = {}


def same_as(name: str) -> Callable[[Case], Case]:
    """Say which recorded case the function does again."""

    def keep(case: Case) -> Case:
        OURS[f"registry/{name}"] = case
        return case

    return keep


def attempt(act: Callable[[], Any]) -> Any:
    """What it returns, or the error it raises."""
    try:
        return act()
    except (AlreadyRegisteredError, ActorDownError, StartError) as error:
        return error


def recorded(result: Any) -> Json:
    """Our result in the words of the file: the only place that knows both."""
    match result:
        case None:
            return "ok"
        case Entry(value=value):
            return ["PID", value]
        case Updated(value=value, previous=previous):
            return [value, previous]
        case Found(value=value):
            return {"ok": value}
        case AlreadyRegisteredError():
            return {"error": ["already_registered", "PID"]}
        case StartError(__cause__=AlreadyRegisteredError()):
            return {"error": ["already_started", "PID"]}
        case ActorDownError(reason=reason):
            return {"exit": trace.reason_to(reason)}
        case LookupError():
            return "error"
        case list() | tuple():
            return [recorded(part) for part in result]
        case _:
            return result


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    for ref in world.refs:
        ref.kill()


@pytest.mark.parametrize("name", RECORDED)
def test_registry_follows_elixir(name: str, world: World) -> None:
    assert recorded(OURS[name](world)) == RECORDED[name]


def test_no_case_of_the_file_is_missing() -> None:
    assert len(RECORDED) == 22
    assert set(OURS) == set(RECORDED)


# The table.


@same_as("unique_register_lookup")
def _(world: World) -> Any:
    names = Registry()
    _, came = world.holder(names, "k", 1)
    return [came, names.lookup("k")]


@same_as("unique_second_register_error")
def _(world: World) -> Any:
    names = Registry()
    world.holder(names, "k", 1)
    _, came = world.holder(names, "k", 2)
    return [came, names.lookup("k")]


@same_as("duplicate_register")
def _(world: World) -> Any:
    names = Registry(keys="duplicate")
    world.holder(names, "k", 1)
    world.holder(names, "k", 2)
    return sorted(entry.value for entry in names.lookup("k"))


@same_as("lookup_missing")
def _(world: World) -> Any:
    return Registry().lookup("zz")


@same_as("auto_unregister_on_death")
def _(world: World) -> Any:
    names = Registry()
    ref, _ = world.holder(names, "k", 1)
    ref.shutdown()
    assert ref.wait(WAIT) is not None
    return [names.lookup("k"), names.count()]


@same_as("dead_owner_key_reusable_immediately")
def _(world: World) -> Any:
    names = Registry()
    ref, _ = world.holder(names, "k", 1)
    down = Probe()
    ref.monitor(down)
    ref.kill()
    down.expect()
    _, came = world.holder(names, "k", 2)
    return came


@same_as("unregister_only_own")
def _(world: World) -> Any:
    names = Registry()
    world.holder(names, "k", 1)
    stranger = world.actor()
    came = attempt(lambda: names.unregister("k", stranger))
    return [came, len(names.lookup("k"))]


@same_as("keys_of_pid")
def _(world: World) -> Any:
    names, me = Registry(), world.actor()
    names.register("a", me, 1)
    names.register("b", me, 2)
    return sorted(names.keys(me))


def _twice(world: World, keys: Literal["unique", "duplicate"]) -> tuple[Registry, Any]:
    names, me = Registry(keys=keys), world.actor()
    names.register("a", me, 1)
    return names, attempt(lambda: names.register("a", me, 2))


@same_as("same_pid_twice_unique")
def _(world: World) -> Any:
    _, came = _twice(world, "unique")
    return came


@same_as("same_pid_twice_duplicate")
def _(world: World) -> Any:
    names, _ = _twice(world, "duplicate")
    return len(names.lookup("a"))


@same_as("update_value")
def _(world: World) -> Any:
    names, me = Registry(), world.actor()
    names.register("a", me, 1)
    changed = [names.update_value(key, me, lambda value: value + 1) for key in "az"]
    return [LookupError() if update is None else update for update in changed]


@same_as("dispatch")
def _(world: World) -> Any:
    names, me, mail = Registry(keys="duplicate"), world.actor(), Probe()
    names.register("t", me, "x")
    names.register("t", me, "y")

    def send(entries: tuple[Entry, ...]) -> None:
        for entry in entries:
            # The actor itself takes it, and passes it on.
            entry.ref.cast(lambda _actor, value=entry.value: mail(value))

    came = attempt(lambda: names.dispatch("t", send))
    return [came, sorted([mail.expect(), mail.expect()])]


@same_as("dispatch_none")
def _(world: World) -> Any:
    def never(_entries: object) -> None:
        raise AssertionError("called without entries")

    return attempt(lambda: Registry(keys="duplicate").dispatch("t", never))


@same_as("count_match")
def _(world: World) -> Any:
    names, me = Registry(keys="duplicate"), world.actor()
    names.register("t", me, (1, "a"))
    names.register("t", me, (2, "b"))
    return names.count_match("t", lambda value: value[1] == "b")


@same_as("meta")
def _(world: World) -> Any:
    names = Registry()
    names.put_meta("k", "v")
    facts = [names.meta(key, default=LookupError()) for key in ("k", "zz")]
    return [fact if isinstance(fact, LookupError) else Found(fact) for fact in facts]


# Names of actors. Ours are all `via` a registry: there are no names of a whole process,
# so the cases of local names are those of a tree's.


class Adder(Actor):
    """Adds up what it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def on_receive(self, message: int) -> int:
        self.total += message
        return self.total


@contextlib.contextmanager
def _served() -> Iterator[Supervisor]:
    """A tree with an actor of the name `s`."""
    with Supervisor.start([worker("s", Adder)]) as top:
        yield top


@same_as("via_start_and_call")
def _(world: World) -> Any:
    with _served() as top:
        return Found(top.handle("s").call(3))


@same_as("via_duplicate_name")
@same_as("local_name_duplicate")
def _(world: World) -> Any:
    with _served() as top:
        again = worker("another", Adder, name="s")
        return attempt(lambda: top.start_child(again))


@same_as("via_call_missing")
def _(world: World) -> Any:
    return attempt(lambda: Handle(Registry(), "s").call("get"))


@same_as("local_call_missing")
def _(world: World) -> Any:
    with Supervisor.start() as top:
        return attempt(lambda: top.handle("no_such_name").call("get"))


@same_as("cast_missing_name_ok")
def _(world: World) -> Any:
    # Elixir says `ok` whatever becomes of it; ours also says that nobody was there.
    assert Handle(Registry(), "no_such_name").cast("x") is False
    return None


@same_as("via_reregisters_after_restart")
def _(world: World) -> Any:
    with _served() as top:
        first = top.registry.resolve("s")
        first.kill()
        second = top.registry.await_name("s", WAIT)
        return [first is not second, second.is_alive()]
