"""The package `supervisors` can go its own way: what its files say agrees with dspex's.

`.ci/supervisors-alone` installs it by itself and runs its tests.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.test_layers import LAYERS, imports_of

ROOT = Path(__file__).parents[1]

TOOLS = {"hypothesis", "pytest"}
"""What the tests of `supervisors` may use besides what the package does."""

ITS_TESTS = sorted(
    [
        ROOT / "tests/conftest.py",
        *ROOT.glob("tests/supervisors/**/*.py"),
        *ROOT.glob("tests/otp/**/*.py"),
    ]
)


def project(folder: str) -> dict[str, Any]:
    text = (ROOT / folder / "pyproject.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["project"]  # type: ignore[no-any-return]  # a table


@pytest.mark.parametrize("key", ["version", "requires-python", "license", "authors"])
def test_both_distributions_say_the_same(key: str) -> None:
    assert project("supervisors")[key] == project(".")[key]


def test_both_distributions_bound_their_dependencies_alike() -> None:
    assert set(project("supervisors")["dependencies"]) <= set(
        project(".")["dependencies"]
    )


def test_the_package_depends_on_what_its_layer_may_use() -> None:
    used = {line.partition(">")[0] for line in project("supervisors")["dependencies"]}

    assert used == set(LAYERS[0].third_party)


def test_both_distributions_have_the_same_licence() -> None:
    own = (ROOT / "supervisors/LICENSE").read_bytes()

    assert own == (ROOT / "LICENSE").read_bytes()


def is_own(module: str) -> bool:
    """Whether a test of `supervisors` finds a module where dspex is not."""
    top, *below = module.split(".")
    if top == "tests":
        return below == [] or below[0] in {"supervisors", "otp"}
    mine = {"supervisors", *LAYERS[0].third_party, *TOOLS}
    return top in mine | sys.stdlib_module_names


@pytest.mark.parametrize(
    "path", ITS_TESTS, ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_the_tests_of_the_package_need_nothing_else(path: Path) -> None:
    source = path.read_text(encoding="utf-8")

    foreign = {found.module for found in imports_of(source) if not is_own(found.module)}

    assert foreign == set()


@pytest.mark.parametrize("module", ["dspex.core", "httpx", "tests.unit.programs"])
def test_the_rule_sees_what_is_not_there(module: str) -> None:
    assert not is_own(module)
