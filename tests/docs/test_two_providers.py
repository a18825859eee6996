"""The example with two providers shows what it says, without any key."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.docs.pages import ROOT, blocks

SCRIPT = ROOT / "examples/two_providers.py"


def shown() -> str:
    """What the page of the examples shows of its output."""
    [block] = [
        block
        for block in blocks(ROOT / "examples/README.md")
        if "answers of" in block.text
    ]
    return block.text


@pytest.fixture(scope="module")
def printed() -> str:
    keyless = {
        name: value for name, value in os.environ.items() if "API_KEY" not in name
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT)],
        env={**keyless, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_keys_it_says_that_the_providers_are_fake(printed: str) -> None:
    assert "two fake providers answer" in printed.splitlines()[0]


def test_an_outage_of_the_first_provider_loses_no_example(printed: str) -> None:
    assert shown() in printed


def test_the_budget_holds_all_that_was_sent(printed: str) -> None:
    found = re.search(r"Budget\('capitals', \$(\S+) of \$0.0500, (\d+) of 100", printed)

    assert found
    assert 0 < float(found[1]) < 0.05
    assert 24 < int(found[2]) <= 100
