"""Links lead somewhere, and each command line names what exists."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.docs.pages import ROOT, blocks, name_of, pages, prose

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")

TOOLS = frozenset({"cd", "pytest", "mypy", "ruff", "make", "export", "git", "mkdocs"})
"""Commands of others that the pages use; their arguments are not looked at."""


def anchors(page: Path) -> set[str]:
    """Return the anchors a page's headings have on the usual sites."""
    text = page.read_text(encoding="utf-8")
    without_blocks = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", without_blocks, flags=re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in headings
    }


def broken(page: Path, link: str) -> str | None:
    """Say what is wrong with a link, if anything is."""
    if link.startswith(("https://", "http://")):
        return None
    target, _, anchor = link.partition("#")
    path = (page.parent / target).resolve() if target else page
    if not path.exists():
        return f"{link}: there is no such file"
    if anchor and anchor not in anchors(path):
        return f"{link}: {name_of(path)} has no such heading"
    return None


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = LINK.findall(prose(page))

    assert [text for link in links if (text := broken(page, link))] == []


def test_every_page_can_be_reached_from_the_index() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "docs/index.md"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        waiting += [
            (page.parent / link.partition("#")[0]).resolve()
            for link in LINK.findall(prose(page))
            if link.partition("#")[0].endswith(".md") and "://" not in link
        ]

    assert set(pages()) <= seen


def commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each command line of a page, with its place, as words."""
    for block in blocks(page):
        if block.language not in {"console", "sh"}:
            continue
        lines = block.text.replace("\\\n", " ").splitlines()
        if block.language == "console":
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        for line in lines:
            for part in line.split("&&"):
                words = shlex.split(part, comments=True)
                if words:
                    yield block.where, words


def fault_of(words: list[str]) -> str | None:
    """Say what is wrong with a command line, if anything is."""
    match words:
        case ["dspex", *arguments]:
            return _fault_of_dspex(arguments)
        case ["pip", "install", what]:
            return _fault_of_extra(what)
        case ["python" | "python3", "-m", "venv", _]:
            return None
        case ["python", script, *_] if script.endswith(".py"):
            found = list((ROOT / "examples").glob(script)) or (ROOT / script).exists()
            return None if found else f"there is no {script}"
        case ["python", "-m", module, *_]:
            place = ROOT / module.replace(".", "/")
            found = (place / "__main__.py").exists() or place.with_suffix(
                ".py"
            ).exists()
            return None if found else f"there is no module {module} to run"
        case [".", ".venv/bin/activate"]:
            return None
        case [script] if script.startswith(".ci/"):
            return None if (ROOT / script).exists() else f"there is no {script}"
        case [tool, *_] if tool in TOOLS:
            return None
    return f"unknown command: {shlex.join(words)}"


def _fault_of_extra(what: str) -> str | None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = re.fullmatch(r"(?:\.|dspex)(?:\[(\w+)\])?", what)
    if found and (found[1] is None or found[1] in project["optional-dependencies"]):
        return None
    return f"pip install {what}: there is no such extra"


def _fault_of_dspex(arguments: list[str]) -> str | None:
    from dspex.cli.main import main

    command: click.Command = main
    known = {"--help"}
    for word in arguments:
        known |= {name for param in command.params for name in param.opts}
        if word.startswith("-"):
            if word.partition("=")[0] not in known:
                return f"dspex {' '.join(arguments)}: no option {word}"
        elif isinstance(command, click.Group):
            if word not in command.commands:
                return f"dspex has no command {word!r}"
            command = command.commands[word]
    return None


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_command_line_names_what_exists(page: Path) -> None:
    faults = [
        f"{where}: {fault}"
        for where, words in commands(page)
        if (fault := fault_of(words))
    ]

    assert faults == []


@pytest.mark.parametrize(
    "words",
    [
        ["dspex", "fly"],
        ["dspex", "demo", "--fast"],
        ["pip", "install", ".[everything]"],
        ["python", "eleven_lines.py"],
        ["rm", "-rf", "."],
    ],
    ids=shlex.join,
)
def test_a_command_that_does_not_exist_is_found(words: list[str]) -> None:
    assert fault_of(words)
