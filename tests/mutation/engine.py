"""Runs mutmut over one module, in a copy of what it needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutation.mutation import Mutation, read_diff
from tests.mutation.targets import ROOT, Target

_COPIED = (
    "pyproject.toml",
    "dspex",
    "supervisors",
    "tests/__init__.py",
    "tests/conftest.py",
    "tests/otp",
    "tests/properties",
    "tests/supervisors",
    "tests/unit",
)

# Workers are forked from a server that runs no test itself: a test of actors leaves
# threads behind, which a fork would lose. A mutant has its tests' usual time twenty
# times over, and fifteen seconds: less than that kills healthy ones on a busy machine.
_CONFIGURATION = """\
[mutmut]
source_paths =
  dspex
  supervisors
only_mutate = {file}
process_isolation = forkserver
timeout_multiplier = 20
timeout_constant = 0.75
use_git_change_detection = false
pytest_add_cli_args =
  -p
  no:cacheprovider
  -n
  0
  --hypothesis-profile=mutation
pytest_add_cli_args_test_selection =
  {tests}
"""

_RESULT = re.compile(r"^\s+(\S+): (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the mutants of one module."""

    killed: int
    """How many failed a test."""
    timed_out: tuple[Mutation, ...]
    """Those under which the tests hang: noticed as well."""
    survived: tuple[Mutation, ...]
    """Those under which every test passed."""
    undecided: tuple[Mutation, ...]
    """Those that no test reaches, and those whose run broke."""


class MutmutError(Exception):
    """mutmut is not there, or did not get to its mutants."""


def run(target: Target) -> Outcome:
    """Make every mutant of a module and run the module's tests on each.

    Raises:
        MutmutError: It is not installed, or the tests fail without any mutant.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        _copy(folder)
        configuration = _CONFIGURATION.format(
            file=target.file, tests="\n  ".join(target.test_files())
        )
        (folder / "setup.cfg").write_text(configuration, encoding="utf-8")
        _mutmut(folder, "run")
        return _outcome(folder, target.module)


def _copy(folder: Path) -> None:
    for name in _COPIED:
        source, copy = ROOT / name, folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, copy)


def _outcome(folder: Path, module: str) -> Outcome:
    killed = 0
    others: dict[str, list[Mutation]] = {"survived": [], "timeout": []}
    undecided: list[Mutation] = []
    for name, fate in _RESULT.findall(_mutmut(folder, "results", "--all", "true")):
        if fate == "killed":
            killed += 1
            continue
        shown = _mutmut(folder, "show", name)
        mutation = read_diff(module, name, shown.partition("\n")[2])
        others.get(fate, undecided).append(mutation)
    return Outcome(
        killed=killed,
        timed_out=tuple(others["timeout"]),
        survived=tuple(others["survived"]),
        undecided=tuple(undecided),
    )


def _mutmut(folder: Path, *arguments: str) -> str:
    program = shutil.which("mutmut", path=Path(sys.executable).parent)
    if program is None:
        msg = (
            "mutmut is not installed beside this Python; the command runs it. Install "
            "it with: pip install '.[mutation]'"
        )
        raise MutmutError(msg)
    done = subprocess.run(
        [program, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    if done.returncode != 0:
        msg = (
            f"mutmut {arguments[0]} ended with {done.returncode}; expected 0. See what "
            f"it printed last, and run the module's tests without it:\n"
            f"{done.stdout[-4000:]}"
        )
        raise MutmutError(msg)
    return done.stdout
