"""A user's folder and a project's, and what is read from them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dspex.configuration.faults import WrongConfigurationError
from dspex.configuration.files import of_user
from dspex.configuration.reading import Configuration, configuration

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
