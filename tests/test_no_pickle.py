"""What may stand nowhere: code out of data, waiting by the clock, this machine."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

UNSAFE_MODULES = frozenset(
    {"pickle", "_pickle", "cloudpickle", "dill", "jsonpickle", "marshal", "shelve"}
)
"""Modules that make objects, and so run code, of bytes."""
SHOWS_THAT_IT_FAILS = frozenset({"tests/unit/client/test_secrets.py"})
"""Tests that pickle something to show that it refuses."""
UNSAFE_BUILTINS = frozenset({"eval", "exec"})

# The words are put together here, so that this file does not hold them itself.
REGISTRY_HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("piwheels", "org"),
        ("anaconda", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
    )
)
MACHINE_PATHS = re.compile(
    "|".join(f"/{part}/" for part in ("root", "work", "Users", "opt/wheels"))
    + "|/home/(?!ada\\b)\\w|/tmp/(?:plan|lab)\\b"
)
"""Folders of one machine; those of examples are left out."""

BINARY = frozenset({".png", ".gguf", ".gz", ".db"})
LEFT_OUT = frozenset({".git", ".venv", "build", "dist", "__pycache__"})


def tracked_files() -> list[Path]:
    """Return the files of the project; of a source archive, all of them.

    Without those of virtual environments, wherever somebody has made one.
    """
    found = [path for path in _listed() if path.is_file()]
    environments = {path.parent for path in found if path.name == "pyvenv.cfg"}
    return [path for path in found if environments.isdisjoint(path.parents)]


def _listed() -> list[Path]:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return [path for path in ROOT.rglob("*") if _is_ours(path)]
    listed = subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name]


def _is_ours(path: Path) -> bool:
    inside = path.relative_to(ROOT).parts
    hidden = any(part.startswith(".") and part != ".ci" for part in inside[:-1])
    return path.is_file() and not hidden and not LEFT_OUT & set(inside)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def unsafe(source: str, *, builtins: frozenset[str]) -> Iterator[str]:
    """Yield what a source does that it must not, with its line."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                modules = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module), names=names):
                modules = [module, *(f"{module}.{alias.name}" for alias in names)]
            case ast.Call(func=ast.Name(id=name)) if name in builtins:
                modules = []
                yield f"line {node.lineno}: calls {name}()"
            case ast.Attribute(value=ast.Name(id="time"), attr="sleep"):
                modules = ["time.sleep"]
            case _:
                continue
        for module in modules:
            if module.split(".")[0] in UNSAFE_MODULES or module == "time.sleep":
                yield f"line {node.lineno}: uses {module}"


@pytest.mark.parametrize(
    "path",
    python_files("dspex", "supervisors", "examples"),
    ids=_name,
)
def test_nothing_is_unpickled_or_evaluated_and_nothing_sleeps(path: Path) -> None:
    source = path.read_text(encoding="utf-8")

    assert not list(unsafe(source, builtins=UNSAFE_BUILTINS))


@pytest.mark.parametrize(
    "path",
    [path for path in python_files("tests") if _name(path) not in SHOWS_THAT_IT_FAILS],
    ids=_name,
)
def test_no_test_sleeps_or_unpickles(path: Path) -> None:
    # The tests of the documentation run its code, so these may call exec().
    source = path.read_text(encoding="utf-8")

    assert not list(unsafe(source, builtins=frozenset()))


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "def f():\n    from pickle import loads",
        "import cloudpickle as cp",
        "eval('1')",
        "exec('x = 1')",
        "import time\ntime.sleep(1)",
        "from time import sleep",
        "import xml, shelve",
    ],
)
def test_the_rule_sees_what_is_unsafe(source: str) -> None:
    assert list(unsafe(source, builtins=UNSAFE_BUILTINS))


def test_no_file_names_this_machine_or_a_package_registry() -> None:
    faults = []
    for path in tracked_files():
        if path.suffix in BINARY:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found = [host for host in REGISTRY_HOSTS if host in text]
        found += MACHINE_PATHS.findall(text)
        found += [str(ROOT)] * (f"{ROOT}/" in text)
        if found:
            faults.append(f"{path.relative_to(ROOT)}: {found}")

    assert not faults


def test_the_tracked_files_are_found() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in tracked_files()}

    assert {"pyproject.toml", "tests/test_no_pickle.py", ".ci/run"} <= names
