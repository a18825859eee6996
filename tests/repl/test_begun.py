"""What a session begins with: names, a banner, a tree as it was told."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.repl.consoles import Console, console
from dspex.repl.namespace import banner, namespace
from dspex.repl.session import hold_session
from dspex.runtime.runtime import current_runtime


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    dspex.shutdown()


def test_what_was_loaded_wins_over_the_common_names() -> None:
    names = namespace({"Predict": "mine"})

    assert names["Predict"] == "mine"
    assert names["Example"] is dspex.Example


def test_a_banner_is_text() -> None:
    told = banner(
        console="x", model=None, loaded=["a\x1b[2J"], home=Path("\u202e/home")
    )

    assert not {"\x1b", "\u202e"} & {*told}
    assert "none yet: configure(lm=" in told


def test_what_is_defined_in_a_plain_session_is_found_by_its_module(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[bool] = []
    lines = (
        "class Mine: pass\n\n"
        "import sys\n"
        "seen.append(sys.modules[Mine.__module__].Mine is Mine)\n"
    )
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))

    console(plain=True).interact({"seen": seen})

    assert seen == [True]


def test_a_tree_that_a_module_has_started_takes_the_configuration(
    tmp_path: Path,
) -> None:
    seen: list[int] = []
    said: list[str] = []

    def interact(_names: dict[str, Any]) -> None:
        seen.append(current_runtime().config.max_in_flight)

    current_runtime().start()
    for _ in range(2):
        hold_session(
            Console(label="looking", interact=interact),
            loaded={},
            model=None,
            config=dspex.Config(max_in_flight=7, home=tmp_path),
            say=said.append,
        )

    assert seen == [7, 7]
    # The first was begun somewhere else already.
    assert str(tmp_path) in said[1]
