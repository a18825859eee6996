"""`.ci/run` says by its exit code what its steps said.

It runs here as it is, in a folder with nothing but `.ci` and a README, and on a `PATH`
of stand-ins: a Python that makes virtual environments in no time, whose tools pass or
fail as told.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
README = "pip install '.[dev]' && pytest\n"
# What the commands call, `expr` of the stand-ins included.
NEEDED = "bash cat cp dirname env expr grep ln mkdir mktemp rm tail tee"

PYTHON = """#!/bin/sh
case "$*" in
  "-m venv "*)
    mkdir -p "$3/bin"
    cp "$0" "$3/bin/python"
    for name in pip pytest ruff mypy; do ln -s {tool} "$3/bin/$name"; done ;;
  *ensurepip*) ;;
  "-m tests."*) expr "$*" : ".*$FAILING" >/dev/null && exit 1 || exit 0 ;;
  *version_info*) echo {version} ;;
  *python_version*) echo {version}.0 ;;
  -) [ -n "$VIRTUAL_ENV" ] || exec {real} - ;;
  *) exec {real} "$@" ;;
esac
"""
TOOL = """#!/bin/sh
called="${0##*/} $*"
[ "${0##*/}" = pytest ] && echo "===== 3 passed in 0.01s ====="
[ "${0##*/}" = pytest ] && echo "3 passed"
expr "$called" : "$FAILING" >/dev/null && exit 1
exit 0
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of which `.ci/run` finds all it looks at, and tools of its own."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in NEEDED.split():
        found = shutil.which(name)
        if found:
            (tools / name).symlink_to(found)
    tool = tmp_path / "tool"
    tool.write_text(TOOL)
    tool.chmod(0o755)
    for name, version in {"python3": "3.12", "python3.13": "3.13"}.items():
        python = tools / name
        python.write_text(
            PYTHON.format(tool=tool, version=version, real=sys.executable)
        )
        python.chmod(0o755)
    home = tmp_path / "project"
    shutil.copytree(PROJECT / ".ci", home / ".ci")
    (home / "README.md").write_text(README)
    shutil.copy(PROJECT / "pyproject.toml", home)
    for folder in ("tests/supervisors", "tests/otp"):
        (home / folder).mkdir(parents=True)
    for name in ("tests/__init__.py", "tests/conftest.py"):
        (home / name).touch()
    return home


def run(project: Path, *, failing: str = "nothing") -> subprocess.CompletedProcess[str]:
    """`.ci/run` where the calls of tools that match `failing` fail."""
    room = project.parent / "room"
    room.mkdir(exist_ok=True)
    return subprocess.run(
        [project / ".ci" / "run"],
        env={
            "PATH": str(project.parent / "bin"),
            "HOME": str(project.parent),
            "TMPDIR": str(room),
            "FAILING": failing,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def named(ended: subprocess.CompletedProcess[str]) -> list[str]:
    """What the run says has failed."""
    lines = ended.stdout.splitlines()
    return [
        line.removeprefix("FAILED: ") for line in lines if line.startswith("FAILED: ")
    ]


def test_a_run_in_which_everything_passes_ends_with_zero_and_leaves_nothing(
    project: Path,
) -> None:
    ended = run(project)

    assert named(ended) == []
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.splitlines()[-1] == "===== 3 passed in 0.01s ====="
    assert list((project.parent / "room").iterdir()) == []


def test_every_step_that_fails_is_named(project: Path) -> None:
    ended = run(project, failing="pytest\\|ruff\\|mypy")

    assert ended.returncode == 1
    assert named(ended) == [
        "the README's test command",
        "format",
        "lint",
        "types",
        "layers",
        "Python 3.13",
        "supervisors by itself",
    ]


def test_what_runs_beside_the_steps_is_waited_for(project: Path) -> None:
    ended = run(project, failing="tests.soak")

    assert ended.returncode == 1
    assert named(ended) == ["soak"]


def test_one_step_after_the_suite_that_fails_is_the_exit_code(project: Path) -> None:
    ended = run(project, failing="pytest -m")

    assert ended.returncode == 1
    assert named(ended) == ["Python 3.13"]
