"""A plan of chaos says what is to happen, or what is wrong with it."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from dspex.core.errors import ConfigurationError
from dspex.testing.chaos import ChaosPlan, CrashChaos, DiskChaos, ProviderChaos

PLAN = """
seed = 7
[provider]
errors = 0.1
slow = 1
[disk]
full = 2
[crashes]
client = 3
"""


def test_a_file_says_what_happens_and_nothing_else_does(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)

    assert ChaosPlan.load(path) == ChaosPlan(
        seed=7,
        provider=ProviderChaos(errors=0.1, slow=1.0),
        disk=DiskChaos(full=2),
        crashes=CrashChaos(client=3),
    )


@pytest.mark.parametrize(
    ("told", "nearest"),
    [
        ({"provder": {}}, "provider"),
        ({"provider": {"error": 0.1}}, "provider.errors"),
        ({"crashes": {"worker": 1}}, "crashes.workers"),
        ({"seeds": 3}, "seed"),
    ],
)
def test_an_unknown_key_is_an_error_that_names_the_nearest(
    told: dict[str, Any], nearest: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"Did you mean '{nearest}'"):
        ChaosPlan.of(told)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"provider": {"errors": 1.5}}, "a share from 0 to 1"),
        ({"provider": {"errors": "often"}}, "a share from 0 to 1"),
        ({"provider": {"errors": True}}, "a share from 0 to 1"),
        ({"provider": {"delay": -1.0}}, "seconds from 0 on"),
        ({"crashes": {"client": 0.5}}, "a whole number from 0 on"),
        ({"provider": 3}, r"Write \[provider\]"),
        ({"seed": "x"}, "seed = 7"),
    ],
)
def test_a_value_that_makes_no_sense_is_an_error(
    told: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        ChaosPlan.of(told)


@pytest.mark.parametrize("text", [None, b"[provider", b"\xff"])
def test_a_file_that_is_no_plan_is_an_error(tmp_path: Path, text: bytes | None) -> None:
    path = tmp_path / "plan.toml"
    if text is not None:
        path.write_bytes(text)

    with pytest.raises(ConfigurationError, match="no plan of chaos"):
        ChaosPlan.load(path)


def test_the_plan_of_everything_has_something_at_each_seam() -> None:
    plan = ChaosPlan.everything(seed=3)

    empty = ChaosPlan(seed=3)
    for seam in ("provider", "cache", "disk", "mailboxes", "clock", "crashes"):
        assert getattr(plan, seam) != getattr(empty, seam)


def test_the_page_shows_every_key_there_is() -> None:
    page = Path(__file__).parents[3] / "docs/how-to/try-your-program-under-chaos.md"
    told = tomllib.loads(page.read_text("utf-8").split("```toml")[1].split("```")[0])

    plan = ChaosPlan.of(told)

    assert plan == ChaosPlan.everything(seed=7)
    for seam in (each.name for each in fields(plan) if each.name != "seed"):
        known = [each.name for each in fields(getattr(plan, seam))]
        assert list(told[seam]) == known
