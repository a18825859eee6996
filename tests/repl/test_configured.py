"""A session works by the configuration of its command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import dspex
from dspex.cli.main import main
from dspex.repl import consoles
from dspex.repl.consoles import Console
from dspex.runtime.runtime import current_runtime


def test_the_tree_of_a_session_is_configured_as_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dspex.Config] = []

    def interact(_names: dict[str, Any]) -> None:
        seen.append(current_runtime().config)

    looking = Console(label="looking", interact=interact)
    monkeypatch.setattr(consoles, "console", lambda **_options: looking)
    home = str(tmp_path / "home")
    words = ["repl", "--model", "openai/m", "--api-base", "http://127.0.0.1:9"]

    done = CliRunner().invoke(
        main, words, env={"DSPEX_MAX_IN_FLIGHT": "7", "DSPEX_HOME": home}
    )

    dspex.configure(lm=None)
    assert done.exit_code == 0, done.output
    assert [each.max_in_flight for each in seen] == [7]
