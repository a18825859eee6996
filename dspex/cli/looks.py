"""What `dspex top` shows: each process at one moment, and what changed since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from dspex.cli.processes import RunThere, look, program_of, rows
from dspex.core.spoken import duration

if TYPE_CHECKING:
    from dspex.control.asking import Process

BAR: Final = 12
"""Characters of a bar."""
BUSY_FROM: Final = 0.5
"""Seconds after which a message in hand, or one that waits, is told."""
MOST_BUSY: Final = 3
"""Actors that are told of a process, those that keep a message longest."""
HELD_BY: Final = {
    "answer": "out",
    "retry": "before a retry",
    "breaker": "at an open breaker",
    "doubt": "until it is known whether the provider is well",
    "limit": "for a rate limit",
    "server": "for the model server",
    "place": "for a place",
}
"""What calls wait for, in the words of this screen."""

Tree = Mapping[str, Any]
"""A node of a supervision tree, with its children."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One process at one moment."""

    process: Process
    """Which one."""
    at: float
    """When it was looked at, by a clock that only goes forward."""
    runs: Sequence[RunThere] = ()
    """Its evaluations and studies; parts of studies are not among them."""
    providers: Sequence[Mapping[str, Any]] = ()
    """Its providers, as the process tells of them."""
    trees: Sequence[Tree] = ()
    """Its supervision trees."""
    silent: Sequence[str] = ()
    """The actors that did not answer."""

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values."""
        nodes = [node for tree in self.trees for node in _walk(tree)]
        return {
            "pid": self.process.pid,
            "answers": self.process.facts is not None,
            "program": None if self.process.facts is None else program_of(self.process),
            "actors": len(nodes),
            "restarts": sum(node["restarts"] for node in nodes),
            "runs": [dict(run.facts) for run in self.runs],
            "providers": [dict(each) for each in self.providers],
            "busy": [_busy_plain(node) for node in _busy(nodes)],
            "silent": list(self.silent),
            "trouble": self.process.trouble,
        }


def look_around(pid: int | None, now: float) -> list[Look]:
    """Look at the processes there are, or at the one of that number.

    Raises:
        Failure: There is none of that number.
    """
    from dspex.control.asking import ask, side_by_side
    from dspex.control.errors import ControlError

    seen = look(pid)

    def look_closer(process: Process) -> Look:
        if process.facts is None:
            return Look(process=process, at=now)
        try:
            told = ask(process.path, "providers")
            trees = [each["tree"] for each in ask(process.path, "tree")["trees"]]
        except ControlError as error:
            silent = replace(process, facts=None, trouble=error.message)
            return Look(process=silent, at=now)
        return Look(
            process=process,
            at=now,
            runs=seen.work_of(process),
            providers=told["providers"],
            trees=trees,
            silent=told["silent"],
        )

    return list(side_by_side(look_closer, seen.processes))


def screen(looks: Sequence[Look], before: Sequence[Look], wall: float) -> Iterator[str]:
    """Yield the lines of one screen.

    Args:
        looks: What there is.
        before: The look before this one, for what happens in a second.
        wall: The time, in seconds since 1970.
    """
    if not looks:
        yield "no process with a runtime runs"
    earlier = {each.process.path: each for each in before}
    for number, one in enumerate(looks):
        if number:
            yield ""
        yield _headline(one, wall)
        yield from _runs(one, earlier.get(one.process.path))
        for provider in one.providers:
            yield from _provider(provider)
        nodes = [node for tree in one.trees for node in _walk(tree)]
        for node in _busy(nodes)[:MOST_BUSY]:
            yield f"  {_busy_words(node)}"
        for name in one.silent:
            yield f"  {name} did not answer"


def _headline(look: Look, wall: float) -> str:
    process = look.process
    if process.facts is None:
        return f"{process.pid} does not answer: {process.trouble}"
    nodes = [node for tree in look.trees for node in _walk(tree)]
    words = [
        f"{process.pid} {program_of(process)}",
        f"for {duration(max(0.0, wall - process.facts['since']))}",
        _count(len(nodes), "actor"),
        _count(process.facts["threads"], "thread"),
    ]
    if restarts := [record for node in nodes for record in node["history"]]:
        last = min(restarts, key=lambda record: record["seconds_ago"])
        many = _count(sum(node["restarts"] for node in nodes), "restart")
        words.append(
            f"{many}, the last of {last['child_id']} "
            f"{duration(last['seconds_ago'])} ago"
        )
    return ", ".join(words)


def _runs(look: Look, before: Look | None) -> Iterator[str]:
    if look.runs:
        earlier = {} if before is None else {run.name: run for run in before.runs}
        seconds = 0.0 if before is None else look.at - before.at
        table = [_run(run, earlier.get(run.name), seconds) for run in look.runs]
        yield from (f"  {line}" for line in rows(table).splitlines())


def _run(run: RunThere, before: RunThere | None, seconds: float) -> tuple[str, ...]:
    facts = run.facts
    done, total = facts["outcomes"], facts["total"]
    pace = ""
    if before is not None and seconds > 0:
        pace = f"{(done - before.facts['outcomes']) / seconds:.1f} a second"
    return (
        run.name,
        facts["kind"],
        facts["state"],
        _bar(done / total) if total else "",
        facts["progress"],
        pace,
    )


def _bar(share: float) -> str:
    full = round(BAR * min(1.0, share))
    return f"{'█' * full}{'░' * (BAR - full)}"


def _provider(told: Mapping[str, Any]) -> Iterator[str]:
    held = [
        f"{many} {'' if cause == 'answer' else 'wait '}{HELD_BY.get(cause, cause)}"
        for cause, many in told["held_by"].items()
    ]
    calls = _count(told["calls"], "call")
    yield f"  {told['provider']}: {calls}{': ' if held else ''}{', '.join(held)}"
    for breaker in told["breakers"]:
        again = breaker["retry_in"]
        when = "" if again is None else f", next try in {duration(max(0.0, again))}"
        yield f"    the breaker of {breaker['model']} is open{when}"


def _walk(node: Tree) -> Iterator[Tree]:
    yield node
    for child in node["children"]:
        yield from _walk(child)


def _busy(nodes: Sequence[Tree]) -> list[Tree]:
    """Return the actors that keep a message for long, the longest first."""
    busy = [node for node in nodes if _kept_for(node) >= BUSY_FROM]
    return sorted(busy, key=_kept_for, reverse=True)


def _kept_for(node: Tree) -> float:
    return max(node["in_hand_for"] or 0.0, node["oldest_for"] or 0.0)


def _busy_plain(node: Tree) -> dict[str, Any]:
    names = ("in_hand", "in_hand_for", "mailbox", "oldest_for")
    return {"actor": node["name"] or node["id"], **{name: node[name] for name in names}}


def _busy_words(node: Tree) -> str:
    words = []
    if node["in_hand"] is not None:
        words.append(f"at {node['in_hand']} for {duration(node['in_hand_for'] or 0.0)}")
    if node["mailbox"]:
        words.append(f"{_count(node['mailbox'], 'message')} waiting")
    return f"{node['name'] or node['id']}: {', '.join(words)}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
