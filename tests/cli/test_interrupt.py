"""Ctrl-C, for real: a command in a process of its own gets SIGINT."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dspex.cli.console import Exit
from dspex.testing import FakeProvider, Hang
from tests.cli.conftest import Run
from tests.docs.pages import ROOT

# A process started by one that ignores SIGINT ignores it, too; a terminal's does not.
START = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from dspex.cli.main import main; main()"
)


def interrupted(words: list[str], provider: FakeProvider, *, after: int) -> list[str]:
    """Run a command, press Ctrl-C when `after` answers are out; its two outputs."""
    provider.misbehave(Hang(), on=lambda billed: billed.number > after)
    command = [sys.executable, "-c", START, *words, "--json"]
    there = ["--model", "fake", "--api-base", provider.base_url]
    with subprocess.Popen(
        [*command, *there],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        provider.wait_for_bill(after + 1, timeout=30)
        provider.wait_for_in_flight(1, timeout=30)
        process.send_signal(signal.SIGINT)
        # Far less than the minute a hanging request may take.
        out, err = process.communicate(timeout=20)
    assert process.returncode == Exit.INTERRUPTED, err
    return [out, err]


def test_an_evaluation_that_is_interrupted_prints_what_it_measured(
    provider: FakeProvider, capitals: Path
) -> None:
    words = ["evaluate", "country -> capital", "--data", str(capitals)]
    options = ["--metric", "exact_match:capital", "--concurrency", "1"]

    out, err = interrupted([*words, *options], provider, after=2)

    found = json.loads(out)
    assert found["score_measured"] == 100.0
    assert found["complete"] is False
    assert sum(found["not_measured"].values()) == 2
    assert "interrupted after 2 of 4 examples" in err
    assert "Traceback" not in err


def test_an_evaluation_that_is_interrupted_says_the_line_that_goes_on(
    provider: FakeProvider, capitals: Path, run: Run
) -> None:
    words = ["evaluate", "country -> capital", str(capitals)]
    options = ["--metric", "exact_match:capital", "--concurrency", "1"]
    _, err = interrupted([*words, *options], provider, after=2)
    [line] = re.findall(r"dspex (resume \S+)", err)
    provider.behave()

    done = run(*line.split(), "--json")

    assert json.loads(done.stdout)["score"] == 75.0
    assert provider.bill[-1].number == 5


@pytest.mark.parametrize(
    ("after", "measured"), [(3, ["before"]), (6, ["before", "labeled"])]
)
def test_a_demo_that_is_interrupted_prints_what_it_measured(
    after: int, measured: list[str], provider: FakeProvider
) -> None:
    out, err = interrupted(["demo", "--limit", "3"], provider, after=after)

    found = json.loads(out)
    assert [step for step in measured if found[step]["n"] != 3] == []
    assert found["after"] is None
    assert "interrupted" in err
    assert "Traceback" not in err
