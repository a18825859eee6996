"""Links and monitors on real actors do what Erlang's did, case by case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from supervisors import Actor, ActorDownError, Down, ExitSignal, Ref, Stop
from tests.otp.misc import reason, recorded, word
from tests.otp.trace import Json
from tests.supervisors.actors.parts import WAIT, settle

CASES = recorded("links")


class Observer(Actor):
    """Notes what it hears of others' ends."""

    def __init__(self, *, traps: bool) -> None:
        super().__init__()
        self.traps = traps
        self.heard: list[list[Json]] = []

    def on_start(self) -> None:
        self.set_trap_exit(traps=self.traps)

    def on_receive(self, message: Any) -> Any:
        match message:
            case Down():
                self.heard.append(["DOWN", word(message.reason)])
            case ExitSignal():
                self.heard.append(["EXIT", word(message.reason)])
            case _:
                return message(self)
        return None


class Target(Actor):
    """Dies as it is told."""

    def on_receive(self, how: str) -> None:
        if how == "raise":
            raise ValueError("x")
        raise Stop(reason(how.removeprefix("exit:")))


def die(target: Ref[Target], how: str) -> None:
    if how == "kill":
        target.kill()
    elif how != "already_dead":
        target.cast(how)


def relate(relation: str, target: Ref[Target]) -> Callable[[Observer], Json]:
    """A message that ties its actor to `target`; answers with the link's error."""

    def message(observer: Observer) -> Json:
        if "monitor" in relation:
            observer.monitor(target)
        if "link" in relation:
            try:
                observer.link(target)
            except ActorDownError as error:
                return word(error.reason)
        return None

    return message


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_links_and_monitors_follow_erlang(case: Json) -> None:
    target = Target.start()
    observing = Observer(traps=case["observer_traps"])
    observer = observing.actor_ref
    observing._start_actor_loop()
    if case["target"] == "already_dead":
        target.kill()

    link_error = observer.call(relate(case["relation"], target))
    die(target, case["target"])
    target.wait(WAIT)
    settle(observer)

    died_with = observer.wait(0)
    seen = {
        "observer_messages": sorted(observing.heard) if died_with is None else None,
        "observer_died_with": None if died_with is None else word(died_with),
        "link_error": link_error,
    }
    observer.kill()
    assert seen == case["result"]


def test_no_case_is_missing() -> None:
    assert len(CASES) == 36
