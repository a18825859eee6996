"""A real actor does what Erlang's gen_server did, case by case."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import pytest

from supervisors import (
    NO_REPLY,
    Actor,
    Crashed,
    Events,
    ExitReason,
    ExitSignal,
    Failed,
    Ignore,
    Ref,
    Registry,
    ReplyFuture,
    ReplyToken,
    StartError,
    Stop,
    Surroundings,
)
from supervisors._launch import launch
from supervisors._waiting import await_reply
from supervisors.testing import ManualClock
from tests.otp.misc import outcome, reason, recorded, word
from tests.otp.trace import Json
from tests.supervisors.actors.parts import WAIT, settle

CASES = recorded("genserver")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where Python's answer must be another than Erlang's."""

    why: str
    results: Json
    """All results, as ours are."""
    log: list[str] | None = None
    """The callbacks as ours ran, when they differ."""


_DEAD = "A call to an actor that is dead says why it ended, where OTP says noproc."

DIFFERENCES = {
    "genserver/throw_garbage": Difference(
        why="Python has no throw beside raise: what is thrown is a crash.",
        results=[{"exit": {"raise": "catchable"}}, {"raise": "catchable"}],
        log=["init", "call:throw", "terminate:raise:catchable"],
    ),
    "genserver/bad_return": Difference(
        why="Whatever a handler returns is its reply; no value is a bad return.",
        results=[{"ok": "garbage"}, None],
        log=["init", "call:bad_return"],
    ),
    "genserver/double_reply_first_wins": Difference(
        why="A second reply is dropped, and reply() says so; in OTP it is a message.",
        results=[{"ok": "first"}, 0, {"ok": 0}],
    ),
    "genserver/stop_with_reply": Difference(
        why=_DEAD, results=[{"ok": "bye"}, "normal", {"exit": "normal"}]
    ),
    "genserver/cast_stop": Difference(
        why=_DEAD, results=["ok", "normal", {"exit": "normal"}, "ok"]
    ),
    "genserver/call_dead": Difference(why=_DEAD, results=["ok", {"exit": "normal"}]),
}


class Info:
    """A bare message: Erlang's `send`."""

    def __init__(self, text: str) -> None:
        self.text = text


class Server(Actor):
    """The recorder's server. What sleeps there waits for the gate here."""

    # OTP's rule: without trapping, a shutdown ends it and nothing is cleaned up.
    ends_at_once = True

    def __init__(self, config: Json) -> None:
        super().__init__()
        self.config = config
        self.log: list[str] = []
        self.gate = threading.Event()
        self.value = 0
        self.parked: list[ReplyToken] = []

    def on_start(self) -> None:
        self.set_trap_exit(traps=self.config.get("trap", False))
        self.log.append("init")
        match self.config.get("init", "ok"):
            case "continue":
                self.continue_with(7)
            case "ignore":
                raise Ignore
            case "stop" | "exit":
                raise Stop(Failed("bad"))
            case "raise":
                raise ValueError("nope")
            case "timeout":
                self.idle_after(0.010)
            case "slow":
                self.gate.wait(WAIT)

    def on_continue(self, term: int) -> None:
        self.log.append(f"continue:{term}")
        self.value += term
        if term == 3:
            self.continue_with(1)

    def on_idle(self) -> None:
        self.log.append("info:timeout")

    def on_end(self, reason: ExitReason) -> None:
        self.log.append(f"terminate:{_inspected(reason)}")

    def on_receive(self, message: Any) -> Any:
        match message:
            case Info():
                self.log.append(f"info::{message.text}")
            case ExitSignal():
                self.log.append(f"info:EXIT::{message.reason}")
            case _:
                self.log.append(f"{message['do']}:{message['op']}")
                answer: Callable[[Json], Any] = getattr(self, f"do_{message['op']}")
                return answer(message)
        return None

    def do_get(self, _message: Json) -> int:
        return self.value

    def do_add(self, message: Json) -> int:
        self.value += message["n"]
        return self.value

    def do_noreply(self, _message: Json) -> Any:
        return NO_REPLY

    def do_reply_later(self, message: Json) -> Any:
        token = self.reply_token()
        threading.Thread(target=token.reply, args=(message["value"],)).start()
        return NO_REPLY

    def do_park(self, _message: Json) -> Any:
        self.parked.append(self.reply_token())
        return NO_REPLY

    def do_release(self, message: Json) -> int:
        return sum(token.reply(message["value"]) for token in self.parked)

    def do_reply_early(self, _message: Json) -> Any:
        self.reply_token().reply("early")
        self.log.append("after_reply")
        return NO_REPLY

    def do_double_reply(self, _message: Json) -> str:
        self.reply_token().reply("first")
        return "second"

    def do_stop_reply(self, message: Json) -> str:
        self.exit(reason(message["reason"]))
        return "bye"

    def do_stop(self, message: Json) -> Any:
        self.exit(reason(message["reason"]))
        return NO_REPLY

    def do_exit(self, message: Json) -> Any:
        raise Stop(reason(message["reason"]))

    def do_raise(self, _message: Json) -> Any:
        raise ValueError("oops")

    def do_throw(self, _message: Json) -> Any:
        raise LookupError("catchable")

    def do_throw_reply(self, _message: Json) -> str:
        # Erlang throws a valid return; `return` leaves from any depth of a handler.
        return "thrown"

    def do_bad_return(self, _message: Json) -> str:
        return "garbage"

    def do_continue(self, message: Json) -> int:
        self.continue_with(message["n"])
        return self.value

    def do_sleep(self, _message: Json) -> str:
        assert self.gate.wait(WAIT)
        return "slept"

    def do_timeout(self, message: Json) -> str:
        self.idle_after(message["ms"] / 1000)
        return "t"

    def do_self_call(self, _message: Json) -> Any:
        return self.actor_ref.call({"do": "call", "op": "get"})


def _inspected(ours: ExitReason) -> str:
    """A reason as the recorder's `terminate` logs it."""
    text = word(ours)
    match text:
        case {"raise": message}:
            return f"raise:{message}"
        case {"shutdown": term}:
            return f'%{{"shutdown" => "{term}"}}'
        case _:
            return cast("str", text)


class Script:
    """Carries out one recorded script; each step by the method of its name."""

    def __init__(self, case: Json) -> None:
        self.clock = ManualClock()
        self.server = Server(case["server"])
        self.server.surroundings = Surroundings(
            registry=Registry(), events=Events(), clock=self.clock
        )
        self.ref: Ref[Any] = self.server.actor_ref
        self.start_timeout = case.get("start_timeout")

    def start(self) -> Json:
        timeout = WAIT if self.start_timeout is None else self.start_timeout / 1000
        try:
            launch(self.server, timeout)
        except Ignore:
            return "ignore"
        except StartError as error:
            return {"error": word(error.reason)}
        return "ok"

    def step(self, step: Json) -> Json:
        do: Callable[[Json], Json] = getattr(self, f"do_{step['do']}")
        return do(step)

    def do_call(self, step: Json) -> Json:
        return self._answered(self.ref.submit(step), step)

    def do_parallel_calls(self, step: Json) -> Json:
        calls = step["calls"]
        futures = [self.ref.submit(call) for call in calls]
        answers: dict[int, Json] = {}
        # Whoever has a short timeout has it while the server sleeps.
        for number, call in sorted(
            enumerate(calls), key=lambda item: "timeout" not in item[1]
        ):
            if "timeout" not in call:
                self.server.gate.set()
            answers[number] = self._answered(futures[number], call)
        return [answers[number] for number in range(len(calls))]

    def _answered(self, future: ReplyFuture[Any], call: Json) -> Json:
        timeout = call.get("timeout", 1000 * WAIT) / 1000
        return outcome(lambda: await_reply(future, timeout, self.ref.life))

    def do_cast(self, step: Json) -> Json:
        self.ref.cast(step)
        return "ok"

    def do_send(self, step: Json) -> Json:
        self.ref.cast(Info(step["msg"]))
        return "sent"

    def do_sleep(self, step: Json) -> Json:
        self.server.gate.set()
        settle(self.ref)
        self.clock.advance(step["ms"] / 1000)
        settle(self.ref)

    def do_stop(self, step: Json) -> Json:
        stopped = self.ref.stop(reason=reason(step["reason"]), timeout=WAIT)
        return "ok" if stopped else {"exit": "noproc"}

    def do_exit_from_parent(self, step: Json) -> Json:
        self.ref.shutdown(reason(step["reason"]))

    def do_exit_from_stranger(self, step: Json) -> Json:
        if step["reason"] == "kill":
            self.ref.kill()
        else:
            self.ref.signal(reason(step["reason"]))

    def do_alive(self, _step: Json) -> Json:
        settle(self.ref)
        return self.ref.is_alive()

    def do_parent_exit_msg(self, _step: Json) -> Json:
        settle(self.ref)
        ended = self.ref.wait(0)
        return None if ended is None else word(ended)

    def do_stray_messages(self, _step: Json) -> Json:
        # A caller has no mailbox: nothing can stray into it.
        return 0


def replay(case: Json) -> Json:
    script = Script(case)
    try:
        start = script.start()
        results = [script.step(step) for step in case["script"]]
        settle(script.ref)
        return {"start": start, "results": results, "log": list(script.server.log)}
    finally:
        script.server.gate.set()
        script.ref.kill()


def expected(case: Json) -> Json:
    """What Erlang did, changed as the table of differences says."""
    difference = DIFFERENCES.get(case["name"])
    if difference is None:
        return case["result"]
    log = difference.log or case["result"]["log"]
    return {**case["result"], "results": difference.results, "log": log}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_server_follows_erlang(case: Json) -> None:
    assert replay(case) == expected(case)


def test_no_case_is_missing() -> None:
    assert len(CASES) == 45


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_difference_is_one(name: str) -> None:
    case = next(case for case in CASES if case["name"] == name)

    assert expected(case) != case["result"]


def test_a_crash_is_told_from_a_reason_of_choice() -> None:
    assert word(Crashed(ValueError("boom"))) != word(Failed("boom"))
