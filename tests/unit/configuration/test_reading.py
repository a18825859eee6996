"""Flags, environment and files: who wins, what is refused, where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.configuration.faults import WrongConfigurationError
from dspex.configuration.files import of_user
from dspex.configuration.keys import keys
from dspex.configuration.origin import Source
from dspex.configuration.reading import Configuration, configuration
from dspex.core import defaults

KEY = "sk-abcdefghijklmnopqrstuv"
"""What looks like a key, and is none."""


class Folder:
    """A user's folder and a project's."""

    def __init__(self, path: Path) -> None:
        self.project, self.home = path / "project", path / "home"
        self.project.mkdir()
        self.home.mkdir()

    def write(self, text: str, name: str = "dspex.toml") -> Path:
        path = self.project / name
        path.write_text(text, encoding="utf-8")
        return path

    def write_own(self, text: str) -> Path:
        path = of_user({"HOME": str(self.home)})
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
        return path

    def read(
        self,
        environ: Mapping[str, str] | None = None,
        flags: Mapping[str, Any] | None = None,
    ) -> Configuration:
        return configuration(
            {"HOME": str(self.home), **(environ or {})}, flags=flags, start=self.project
        )

    def refusal(self, environ: Mapping[str, str] | None = None) -> str:
        with pytest.raises(WrongConfigurationError) as refused:
            self.read(environ)
        return str(refused.value)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_every_field_of_a_runtimes_configuration_is_a_key() -> None:
    of_runtime = {name for name, key in keys().items() if key.of_runtime}

    assert of_runtime == {field.name for field in fields(dspex.Config)}


def test_nothing_said_is_every_default(folder: Folder) -> None:
    found = folder.read()

    assert found.config == dspex.Config()
    assert found.lm is None
    assert found.values["concurrency"].value == defaults.CONCURRENCY
    assert found.settings() == {}
    assert not any(map(found.is_said, found.values))


def test_flags_win_over_variables_these_over_the_project_that_over_the_user(
    folder: Folder,
) -> None:
    folder.write_own("max_in_flight = 1\nmax_queued = 1\ncache_entries = 1\nmodel='a'")
    project = folder.write("max_in_flight = 2\nmax_queued = 2\ncache_entries = 2\n")

    found = folder.read(
        {"DSPEX_MAX_IN_FLIGHT": "3", "DSPEX_MAX_QUEUED": "3"}, {"max_in_flight": 4}
    )

    assert {
        name: (found.values[name].value, str(found.values[name].origin))
        for name in ("max_in_flight", "max_queued", "cache_entries", "persist")
    } == {
        "max_in_flight": (4, "--max-in-flight"),
        "max_queued": (3, "DSPEX_MAX_QUEUED"),
        "cache_entries": (2, f"{project}:3"),
        "persist": (True, "default"),
    }
    assert found.values["model"].origin.source is Source.USER
    assert (found.config.max_in_flight, found.config.cache_entries) == (4, 2)
