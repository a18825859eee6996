"""Saves programs in DSPy and loads them here, and the other way round.

    python -m tests.tools.dspy_states --dspy-python PATH [--write]

`PATH` is the Python of an environment that has DSPy and not this project. The command
prints a line for each program and ends with 1 when one of them did not arrive:

* here: what DSPy saved loads, is written again as it was, and its demos hold what they
  held before DSPy saved them, of the same types.
* there: DSPy loads what dspex saved, and its prompts and its model are those it makes
  of its own file.

`--write` keeps DSPy's files in `tests/data/dspy_states`, where a test without DSPy
loads them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import dspex
from tests.tools.state_programs import Case, cases

SIDE = Path(__file__).with_name("dspy_side.py")
KEPT = Path(__file__).parents[1] / "data/dspy_states"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """How one program fared."""

    name: str
    """The case."""
    here: list[str]
    """What is wrong with what dspex made of DSPy's file."""
    there: list[str]
    """What is wrong with what DSPy made of dspex's file."""


@contextmanager
def some_key() -> Iterator[None]:
    """Let models be made; nothing is asked of them."""
    with mock.patch.dict(os.environ, {"OPENAI_API_KEY": "sk-unused"}):
        yield


def faults_here(case: Case, file: Path) -> list[str]:
    """Return what is wrong with a program that DSPy saved, once it is loaded here."""
    tuned, loaded = case.make(), case.make()
    case.tune(tuned)
    loaded.load(file)
    saved = json.loads(file.read_text("utf-8"))
    faults = []
    for name, state in states_of(loaded).items():
        if _known(state) != _known(saved if name == "self" else saved[name]):
            faults.append(f"{name} is written differently")
    for (name, before), (_, after) in zip(
        tuned.named_predictors(), loaded.named_predictors(), strict=True
    ):
        faults += [f"{name}: {fault}" for fault in _differing(before, after)]
    return faults


def states_of(program: Any) -> dict[str, Any]:
    """Return the state of each predictor; a bare predictor's is called `self`."""
    return {name: each.dump_state() for name, each in program.named_predictors()}


def _known(state: dict[str, Any]) -> dict[str, Any]:
    """Return what both know of a predictor: DSPy keeps more of a model."""
    lm = state["lm"] and {
        key: state["lm"].get(key)
        for key in ("model", "cache", "temperature", "max_tokens")
    }
    return {**{key: state[key] for key in state if key != "metadata"}, "lm": lm}


def _differing(before: Any, after: Any) -> Iterator[str]:
    """Yield the demos' fields that are not what they were, or of another type."""
    if len(before.demos) != len(after.demos):
        yield f"{len(after.demos)} demos of {len(before.demos)}"
    for number, (demo, loaded) in enumerate(
        zip(before.demos, after.demos, strict=False)
    ):
        for name in dict(demo):
            # No file can hold a function.
            is_code = name == "tools"
            if not is_code and loaded[name] != demo[name]:
                yield f"demo {number}, {name!r} is {loaded[name]!r}"


def run_side(python: Path, command: str, folder: Path) -> str:
    """Run the other side, and return what it prints."""
    done = subprocess.run(
        [str(python), str(SIDE), command, str(folder)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def arrivals(python: Path, folder: Path) -> Iterator[Arrival]:
    """Send every program both ways."""
    theirs, ours = folder / "dspy", folder / "dspex"
    theirs.mkdir()
    ours.mkdir()
    run_side(python, "save", theirs)
    known = list(cases(dspex))
    for case in known:
        program = case.make()
        case.tune(program)
        program.save(ours / f"{case.name}.json")
    expected, found = (
        json.loads(run_side(python, "load", side)) for side in (theirs, ours)
    )
    for case in known:
        file = theirs / f"{case.name}.json"
        there = [] if found[case.name] == expected[case.name] else ["other prompts"]
        yield Arrival(name=case.name, here=faults_here(case, file), there=there)


def main(arguments: list[str]) -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.dspy_states")
    parser.add_argument("--dspy-python", type=Path, required=True)
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name, some_key():
        folder = Path(name)
        found = list(arrivals(chosen.dspy_python, folder))
        if chosen.write:
            KEPT.mkdir(parents=True, exist_ok=True)
            for file in sorted((folder / "dspy").iterdir()):
                (KEPT / file.name).write_bytes(file.read_bytes())
    print(f"{'program':<10} {'DSPy to dspex':<15} dspex to DSPy")
    for each in found:
        here, there = ("wrong" if part else "ok" for part in (each.here, each.there))
        print(f"{each.name:<10} {here:<15} {there}")
        for fault in (*each.here, *each.there):
            print(f"    {fault}")
    return int(any(each.here or each.there for each in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
