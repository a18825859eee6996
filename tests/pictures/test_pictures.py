"""The pictures are there, small and whole, and what draws them draws."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.docs.pages import ROOT, pages
from tests.docs.test_site import remote_loads
from tests.pictures.__main__ import FOLDER, terminal_pictures
from tests.pictures.drawing import FakeTerminal, drawn
from tests.pictures.runs import settled, watched

NAMES = ["progress.svg", "report.png", "top.svg", "tree.svg"]
LARGEST = 200_000
"""Bytes of a picture."""


def text_of(svg: str) -> str:
    """Return what a drawn terminal shows; a space is a space."""
    root = ET.fromstring(svg)  # noqa: S314 - we have just drawn it
    words = "\n".join(root.itertext())
    return words.replace("\xa0", " ")


def test_the_pictures_are_there_and_small() -> None:
    sizes = {path.name: path.stat().st_size for path in FOLDER.iterdir()}

    assert sorted(sizes) == NAMES
    assert max(sizes.values()) < LARGEST


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".svg")])
def test_a_picture_loads_nothing(name: str) -> None:
    svg = (FOLDER / name).read_text(encoding="utf-8")

    assert remote_loads(svg) == []
    assert "@font-face" not in svg


@pytest.mark.parametrize("name", NAMES)
def test_a_page_shows_each_picture_and_says_what_is_on_it(name: str) -> None:
    shown = [
        alt
        for page in pages()
        for alt in re.findall(
            rf"!\[([^\]]*)\]\([^)]*pictures/{re.escape(name)}\)",
            page.read_text(encoding="utf-8"),
        )
    ]

    assert shown
    assert all(len(alt) > 40 for alt in shown)


def test_a_real_run_is_drawn_with_its_tree_its_progress_and_its_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSPEX_HOME", str(tmp_path))
    monkeypatch.setenv("TERM", "xterm")

    shown = watched(14, latency=0.0)
    pictures = {name: text_of(svg) for name, svg in terminal_pictures(shown).items()}

    assert "coordinator" in pictures["tree.svg"]
    assert "127.0.0.1:8000/v1 key 0123456789abcdef" in pictures["tree.svg"]
    assert "capitals  evaluation  running" in pictures["top.svg"]
    assert "a second" in pictures["top.svg"]
    # Two of fourteen are answered wrongly.
    assert "14/14" in pictures["progress.svg"]
    assert str(shown.result) in pictures["progress.svg"]
    assert shown.result.score == pytest.approx(100 * 12 / 14, abs=0.01)


def test_text_that_looks_like_markup_is_drawn_as_it_is() -> None:
    svg = drawn("[bold]<script>x</script>[/bold]", title="a & b")

    assert "[bold]<script>x</script>[/bold]" in text_of(svg)


def test_a_line_that_is_written_over_is_kept_each_time() -> None:
    terminal = FakeTerminal()

    terminal.write("\rone\x1b[K\rtwo\x1b[K\n")

    assert terminal.lines() == ["one", "two"]


def test_a_port_and_the_mark_of_a_key_are_not_in_a_picture() -> None:
    tree = "openai http://127.0.0.1:44291/v1 key d0d5d0fe846457c4"

    assert settled(tree) == "openai http://127.0.0.1:8000/v1 key 0123456789abcdef"


def test_the_folder_of_the_pictures_is_part_of_the_documentation() -> None:
    assert FOLDER.is_relative_to(ROOT / "docs")
