"""The newcomer's path: the README's first commands, in an empty environment, timed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]

MOST_COMMANDS: Final = 3
"""Commands from an empty environment to a first score."""
MOST_SECONDS: Final = 300.0
"""Seconds these may take, the download apart."""

_FIRST: Final = re.compile(r"## See it work\n.*?```sh\n(.*?)```", re.DOTALL)
_SCORE: Final = re.compile(r"^zero-shot +(\d+\.\d)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command that was given."""

    command: str
    """As it was typed."""
    seconds: float
    """How long it took."""
    code: int
    """Its exit code."""
    output: str
    """What it printed, both streams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """How somebody fared."""

    download: float
    """Seconds that fetching the packages took."""
    steps: Sequence[Step] = field(default_factory=tuple)
    """The commands, in order."""

    @property
    def seconds(self) -> float:
        """Seconds of the commands, the download apart."""
        return sum(step.seconds for step in self.steps)

    @property
    def score(self) -> float | None:
        """The first score that was printed."""
        found = [_SCORE.search(step.output) for step in self.steps]
        return next((float(one.group(1)) for one in found if one), None)

    def faults(self) -> list[str]:
        """Return what kept it from being a good path; nothing when it was one."""
        failed = [step for step in self.steps if step.code]
        told = [f"{step.command}: exit code {step.code}" for step in failed]
        if self.score is None:
            told.append("no score was printed")
        if len(self.steps) > MOST_COMMANDS:
            told.append(f"{len(self.steps)} commands; {MOST_COMMANDS} were allowed")
        if self.seconds > MOST_SECONDS:
            told.append(f"{self.seconds:.0f} s; {MOST_SECONDS:.0f} were allowed")
        return told

    def transcript(self) -> str:
        """Return all that was typed and printed."""
        told = [f"# the download: {self.download:.1f} s"]
        for step in self.steps:
            told += [f"$ {step.command}", step.output.rstrip()]
            told.append(f"# {step.seconds:.1f} s, exit code {step.code}")
        told += [f"# {self.seconds:.1f} s in all, the first score: {self.score}", ""]
        return "\n".join(told)


def commands_of(readme: str) -> list[str]:
    """Return the README's first commands, each by itself."""
    found = _FIRST.search(readme)
    lines = found.group(1).splitlines() if found else []
    return [command.strip() for line in lines for command in line.split("&&")]


def walk(folder: Path) -> Walk:
    """Go the path in a folder of its own, with a home of its own.

    What the packages weigh is fetched first, and found there by the commands; these
    are given word for word.
    """
    folder.mkdir(parents=True, exist_ok=True)
    venv.create(folder / "venv", with_pip=True)
    environment = _environment(folder)
    commands = commands_of((ROOT / "README.md").read_text(encoding="utf-8"))
    wheels = folder / "wheels"
    started = time.monotonic()
    fetched = _given(
        f"{sys.executable} -m pip download -q -d {wheels} '.[demo]' 'hatchling>=1.27'",
        environment,
    )
    download = time.monotonic() - started
    if fetched.code:
        return Walk(download=download, steps=(fetched,))
    steps = _until_one_fails(commands, {**environment, "PIP_FIND_LINKS": str(wheels)})
    return Walk(download=download, steps=tuple(steps))


def _until_one_fails(
    commands: Sequence[str], environment: dict[str, str]
) -> Iterator[Step]:
    for command in commands:
        step = _given(command, environment)
        yield step
        if step.code:
            return


def _environment(folder: Path) -> dict[str, str]:
    """An environment in which nothing of this one's Python or dspex counts."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DSPEX_", "PYTHON", "VIRTUAL_ENV"))
    }
    places = f"{folder / 'venv' / 'bin'}:{os.environ.get('PATH', '')}"
    return {**kept, "PATH": places, "DSPEX_HOME": str(folder / "home")}


def _given(command: str, environment: dict[str, str]) -> Step:
    started = time.monotonic()
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="backslashreplace",
    )
    return Step(
        command=command,
        seconds=time.monotonic() - started,
        code=done.returncode,
        output=done.stdout,
    )
