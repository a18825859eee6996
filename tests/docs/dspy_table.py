"""Compares dspex with DSPy's list of names: what is there, and what is lacking.

The facts are `tests/data/dspy_names.json`; the judgement, which no script can make, is
`tests/data/dspy_table.toml`: for each name whether it is the same or stricter, the test
that shows it, and a reason for each parameter and method that is lacking.

`python -m tests.docs.dspy_table` prints what has no judgement yet.
"""

from __future__ import annotations

import importlib
import inspect
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from dspex.migrate.absent import ABSENT
from dspex.migrate.names import home_of
from tests.docs.pages import ROOT
from tests.tools import dspy_names

LEDGER = ROOT / "tests/data/dspy_table.toml"

STATUSES = ("the same", "stricter", "absent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One public name of DSPy."""

    name: str
    """The name."""
    homes: tuple[str, ...]
    """Where DSPy's users import it from."""
    status: str
    """One of `STATUSES`, or an empty text where it is not there or no test shows it."""
    test: str = ""
    """The node id of the test that shows it; none for what is absent."""
    note: str = ""
    """What is stricter or otherwise, or why it is absent."""
    has: tuple[str, ...] = ()
    """Methods and properties that are there."""
    lacks: Mapping[str, str]
    """Parameters, as `(name)`, and methods that are not, each with its reason; an empty
    one where nobody has given it."""


@cache
def ledger() -> dict[str, Any]:
    """Return the judgements."""
    return tomllib.loads(LEDGER.read_text("utf-8"))


def rows() -> Iterator[Row]:
    """Yield a row for each name, in order."""
    for name, facts in dspy_names.read()["names"].items():
        yield _row(name, facts)


def ours(name: str) -> Any:
    """Return what dspex calls by that name, `None` when it has no such name."""
    home = home_of(name)
    return None if home is None else getattr(importlib.import_module(home), name)


def _row(name: str, facts: Mapping[str, Any]) -> Row:
    judged: Mapping[str, Any] = ledger()["names"].get(name, {})
    homes = tuple(facts["homes"])
    if name in ABSENT:
        why = ABSENT[name]
        text = f"{why.reason}. {why.instead}"
        return Row(name=name, homes=homes, status="absent", note=text, lacks={})
    found = ours(name)
    lacking = list(_lacking(found, facts)) if found is not None else []
    reasons = {**ledger()["lacking"], **judged.get("lacks", {})}
    return Row(
        name=name,
        homes=homes,
        status=judged["status"] if found is not None and judged.get("test") else "",
        test=judged.get("test", ""),
        note=judged.get("note", ""),
        has=tuple(m for m in facts.get("members", ()) if hasattr(found, m)),
        lacks={item: reasons.get(item, "") for item in lacking},
    )


def _lacking(found: Any, facts: Mapping[str, Any]) -> Iterator[str]:
    for parameter in _without(found, facts.get("parameters", ())):
        yield f"({parameter})"
    for member, parameters in facts.get("members", {}).items():
        if not hasattr(found, member):
            yield f".{member}"
            continue
        for parameter in _without(getattr(found, member), parameters or ()):
            yield f".{member}({parameter})"


def _without(found: Any, wanted: list[str] | tuple[str, ...]) -> Iterator[str]:
    """Yield the parameters that a call of ours does not take."""
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return
    names = {each.name for each in parameters}
    yield from (each for each in wanted if each[0] != "*" and each not in names)


def main() -> None:
    """Print what has no judgement."""
    for row in rows():
        if not row.status:
            print(f"{row.name}: {'no test' if ours(row.name) else 'not there'}")
        for item, reason in row.lacks.items():
            if not reason:
                print(f"{row.name}{item}: lacking, without a reason")


if __name__ == "__main__":
    main()
