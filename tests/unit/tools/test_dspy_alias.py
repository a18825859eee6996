"""The alias runner gives DSPy's tests dspex, and says what is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.dspy_alias import cause

ROOT = Path(__file__).parents[3]


def run_alias(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    """Run a test file of somebody's under the alias."""
    file = folder / "test_somebody.py"
    file.write_text(source, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "tests.tools.dspy_alias", str(file), "-q"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_every_way_to_a_name_leads_to_dspex(tmp_path: Path) -> None:
    done = run_alias(
        tmp_path,
        """
import dspex
import dspy
import dspy.teleprompt
from dspy.clients.lm import LM
from dspy.dsp.utils import settings
from dspy.dsp.utils.settings import settings as the_same

def test_names():
    assert dspy.Predict is dspex.Predict
    assert LM is dspex.LM
    assert dspy.teleprompt.LabeledFewShot is dspex.LabeledFewShot
    assert dspy.evaluate.Evaluate is dspex.Evaluate
    assert settings is the_same is dspy.settings is dspex.settings
""",
    )

    assert done.returncode == 0, done.stdout
    assert "1 passed, 0 not" in done.stdout


def test_a_name_that_is_missing_is_an_error_and_is_listed_once(tmp_path: Path) -> None:
    done = run_alias(
        tmp_path,
        """
import dspy

def test_attribute():
    dspy.utils.NoSuchName

def test_import():
    from dspy.predict.react import NoSuchName

def test_module():
    import dspy.no_such_module
""",
    )

    assert done.returncode == 1
    assert "0 passed, 3 not" in done.stdout
    assert "\nNoSuchName (2)\n" in done.stdout
    assert "DSPy has no module 'dspy.no_such_module'" in done.stdout


def test_a_coroutine_is_run_and_settings_do_not_leak(tmp_path: Path) -> None:
    done = run_alias(
        tmp_path,
        """
import asyncio
import dspy
import pytest

@pytest.mark.asyncio
async def test_first(tmp_path):
    dspy.settings.configure(max_errors=3)
    await asyncio.sleep(0)
    assert tmp_path.exists()

def test_second():
    assert dspy.settings.max_errors == 10

@pytest.mark.asyncio
async def test_third():
    assert dspy.settings.max_errors == 4
""",
    )

    assert "2 passed, 1 not" in done.stdout


def test_a_file_that_cannot_be_imported_is_a_cause(tmp_path: Path) -> None:
    done = run_alias(tmp_path, "import a_package_that_is_not_there\n")

    assert "whole file: ModuleNotFoundError: No module named" in done.stdout


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("first\nsecond"), "ValueError: first"),
        (
            AssertionError("1 == 2"),
            "AssertionError: what came is not what was expected",
        ),
        (KeyError(), "KeyError: "),
    ],
)
def test_failures_of_one_kind_have_one_cause(error: Exception, line: str) -> None:
    assert cause(error) == line
