"""A session works by the configuration of its command line."""

from __future__ import annotations

import importlib.util
import signal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

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


def looked_at(
    monkeypatch: pytest.MonkeyPatch, *words: str
) -> tuple[Result, list[tuple[object, object]]]:
    """What a session's first line finds: the model, and what a Ctrl-C does."""
    seen: list[tuple[object, object]] = []

    def interact(_names: dict[str, Any]) -> None:
        seen.append((dspex.settings.lm, signal.getsignal(signal.SIGINT)))

    looking = Console(label="looking", interact=interact)
    monkeypatch.setattr(consoles, "console", lambda **_options: looking)
    monkeypatch.delenv("DSPEX_MODEL", raising=False)
    done = CliRunner().invoke(main, ["repl", *words])
    dspex.configure(lm=None)
    return done, seen


def test_ctrl_c_works_where_a_shell_has_it_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _, [(_, handler)] = looked_at(monkeypatch, "--model", "openai/m")
    finally:
        signal.signal(signal.SIGINT, before)

    assert handler is signal.default_int_handler


def test_a_model_that_a_loaded_module_has_configured_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configuring_code.py").write_text(
        "import dspex\n"
        "mine = dspex.LM('openai/mine', api_key='sk-1')\n"
        "dspex.configure(lm=mine)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    done, seen = looked_at(monkeypatch, "configuring_code:mine")

    assert [repr(model) for model, _ in seen] == ["LM('openai/mine')"]
    assert "LM('openai/mine')" in done.stderr


def test_a_session_can_begin_without_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_names: None)

    done, seen = looked_at(monkeypatch)

    assert [model for model, _ in seen] == [None]
    assert "model  none yet" in done.stderr


@pytest.mark.parametrize("name", ["my_code", "my_code:", ":program"])
def test_a_name_that_names_nothing_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, seen = looked_at(monkeypatch, name)

    assert done.exit_code == 2
    assert "expected MODULE:NAME" in done.stderr
    assert seen == []
