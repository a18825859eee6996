"""`dspex evaluate --chaos`: the same score, and a line that says what went wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from dspex.testing import FakeProvider
from tests.cli.conftest import Run

EXACT = ("--metric", "exact_match:capital", "--no-persist")
PLAN = """
seed = 3
[provider]
dropped = 0.5
[crashes]
client = 1
within = 3
"""


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


def test_the_score_is_the_same_and_what_went_wrong_is_told(
    run: Run,
    there: tuple[str, ...],
    provider: FakeProvider,
    capitals: Path,
    plan: Path,
) -> None:
    words = ("evaluate", "country -> capital", capitals, *EXACT, *there)

    done = run(*words, "--chaos", plan)

    assert done.exit_code == 0
    assert "75.0" in done.stdout
    assert "chaos with seed 3: answers lost on the way (" in done.stderr
    assert "deaths of the client (1)" in done.stderr
    assert "chaos" not in done.stdout
    assert len(provider.bill) >= 4


def test_an_unknown_key_is_told_before_anything_is_asked(
    run: Run,
    there: tuple[str, ...],
    provider: FakeProvider,
    capitals: Path,
    plan: Path,
) -> None:
    plan.write_text("[provider]\nerorrs = 0.1\n")
    words = ("evaluate", "country -> capital", capitals, *EXACT, *there)

    done = run(*words, "--chaos", plan)

    assert done.exit_code == 2
    assert "Did you mean 'provider.errors'" in " ".join(done.stderr.split())
    assert provider.bill == ()


def test_chaos_and_debugging_do_not_go_together(
    run: Run, there: tuple[str, ...], capitals: Path, plan: Path
) -> None:
    words = ("evaluate", "country -> capital", capitals, *EXACT, *there)

    done = run(*words, "--chaos", plan, "--debug")

    assert done.exit_code == 2
    assert "--chaos disturbs an evaluation" in done.stderr
