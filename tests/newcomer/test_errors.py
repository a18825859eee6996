"""Each error before the first score is on its page, word for word."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner

import dspex
from dspex.cli.main import main
from dspex.client.local.assembly import assemble
from dspex.client.local.weights import GEMMA_3_270M
from dspex.testing import FakeProvider
from tests.newcomer.full_disk import Left, on_a_disk_that_fills_up, on_a_full_disk
from tests.newcomer.path import ROOT

PAGE: Final = ROOT / "docs/how-to/when-the-first-run-fails.md"
ASK: Final = ("predict", "country -> capital", "country=Peru")
NOBODY: Final = "http://127.0.0.1:9"
"""Where nobody listens: the port of `discard`."""
LOCK: Final = f"models/{GEMMA_3_270M.file}.lock"
"""What processes that put the model together hold meanwhile: an empty file."""


def told() -> dict[str, str]:
    """The text of each heading of the page."""
    found = re.findall(
        r"^## (.+?)\n\n```text\n(.*?)\n```", PAGE.read_text("utf-8"), re.DOTALL | re.M
    )
    return dict(found)


def is_told(heading: str, text: str) -> bool:
    """Say whether the page has a text, words in capitals standing for anything."""
    pattern = re.escape(told()[heading])
    for word in ("FOLDER", "NUMBER", "REQUEST", "ADDRESS", "HOST", "REASON"):
        pattern = pattern.replace(word, r"\S+" if word != "REASON" else ".+")
    return re.fullmatch(pattern, text.strip()) is not None


def said(*words: str, code: int, **environment: str | None) -> str:
    """What a command says when it fails."""
    done = CliRunner().invoke(main, list(words), env=environment)
    assert done.exit_code == code, done.output
    return done.stderr


def pip_says(*words: str) -> str:
    """The errors of an installation that fails."""
    own = {key: one for key, one in os.environ.items() if not key.startswith("PIP_")}
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--dry-run", *words],
        env={
            **own,
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        },
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode != 0
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return "\n".join(errors)


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def an_old_python(folder: Path) -> str:
    """What pip says on Python 3.10 of a wheel that needs the Python this one needs.

    Not every pip plays another Python, so it refuses this one, and both versions are
    put for those it has named.
    """
    project = pyproject()["project"]
    name = f"dspex-{project['version']}"
    wheel = folder / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr(
            f"{name}.dist-info/METADATA",
            f"Metadata-Version: 2.1\nName: dspex\nVersion: {project['version']}\n"
            "Requires-Python: >=99\n",
        )
        file.writestr(f"{name}.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        file.writestr(f"{name}.dist-info/RECORD", "")
    said = pip_says("--no-index", "--no-deps", str(wheel))
    said = said.replace(platform.python_version(), "3.10.0")
    return said.replace("'>=99'", f"'{project['requires-python']}'")


def no_network_for_pip(_folder: Path) -> str:
    """What pip says when it cannot fetch what builds this project."""
    [builder] = pyproject()["build-system"]["requires"]
    index = ("--index-url", f"{NOBODY}/simple", "--retries", "0")
    return pip_says(*index, "--ignore-installed", builder)


def no_extra(_folder: Path) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda *_names: None)
        return said("demo", code=78)


def no_disk(folder: Path) -> str:
    left = on_a_full_disk(("demo",), folder)
    if left is not None:
        return told_by(left)
    # Nobody may mount anything here: so, a model that no disk has room for.
    with pytest.raises(dspex.ConfigurationError) as refused:
        assemble(replace(GEMMA_3_270M, size=10**18), folder, locate=lambda _: ())
    return f"dspex: {refused.value}"


def a_disk_that_fills_up(folder: Path) -> str:
    return told_by(on_a_disk_that_fills_up(("demo",), folder))


def told_by(left: Left) -> str:
    """The last line of what a newcomer reads; nothing half written is left."""
    assert left.code == 78, left.error
    assert [name for name in left.files if name.startswith("models/")] == [LOCK]
    return left.error.splitlines()[-1]


def no_key(_folder: Path) -> str:
    asked = (*ASK, "--model", "openai/gpt-4o-mini")
    return said(*asked, code=78, OPENAI_API_KEY=None)


def a_wrong_key(_folder: Path) -> str:
    with FakeProvider(api_key="right") as provider:
        there = ("--api-base", provider.base_url, "--api-key-env", "WRONG_KEY")
        model = ("--model", "openai/gpt-4o-mini")
        return said(*ASK, *model, *there, code=78, WRONG_KEY="sk-of-nobody")


def no_network(_folder: Path) -> str:
    there = ("--model", "openai/gpt-4o-mini", "--api-base", f"{NOBODY}/v1")
    return said(*ASK, *there, code=69)


PROVOKED: Final[dict[str, Callable[[Path], str]]] = {
    "Python is too old": an_old_python,
    "No network while installing": no_network_for_pip,
    "The extra is missing": no_extra,
    "No room on the disk": no_disk,
    "The disk fills up": a_disk_that_fills_up,
    "No key": no_key,
    "A wrong key": a_wrong_key,
    "No network while asking": no_network,
}
NEED_MODEL: Final = {"No room on the disk", "The disk fills up"}
NEED_PIP: Final = {"Python is too old", "No network while installing"}


@pytest.fixture(autouse=True)
def _nothing_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DSPEX_MODEL", raising=False)
    yield
    dspex.shutdown()


def test_the_page_has_every_error_that_is_provoked_and_no_other() -> None:
    assert list(told()) == list(PROVOKED)


@pytest.mark.parametrize(
    "heading",
    [
        pytest.param(each, marks=pytest.mark.model if each in NEED_MODEL else ())
        for each in PROVOKED
    ],
)
def test_an_error_is_on_the_page_word_for_word(heading: str, tmp_path: Path) -> None:
    if heading in NEED_PIP and importlib.util.find_spec("pip") is None:
        pytest.skip("there is no pip here")

    text = PROVOKED[heading](tmp_path)

    assert is_told(heading, text), text
