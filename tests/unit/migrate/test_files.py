"""Finding programs, reading them, and writing them whole or not at all."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from dspex.core.errors import DataError
from dspex.migrate.files import changed_file, programs_below


def test_programs_are_found_and_what_is_installed_is_not(tmp_path: Path) -> None:
    for name in (
        *("b.py", "a.pyi", "n.ipynb", "readme.md", "deep/er/c.py"),
        *(".hidden/x.py", "venv/pyvenv.cfg", "venv/x.py", "__pycache__/x.py"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    found = [path.relative_to(tmp_path).as_posix() for path in programs_below(tmp_path)]

    assert found == ["a.pyi", "b.py", "deep/er/c.py", "n.ipynb"]


def test_a_file_that_is_named_is_looked_at_whatever_its_suffix(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("import dspy\n")

    assert list(programs_below(script)) == [script]
    assert changed_file(script).after == "import dspex\n"


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfimport dspy\r\nx = '\xc3\xa4'\r\n",
        b"# -*- coding: latin-1 -*-\nimport dspy\nx = '\xe4'\n",
        b"import dspy",
    ],
    ids=["mark and CRLF", "latin-1", "no end of line"],
)
def test_only_the_word_changes_in_the_bytes_of_a_file(
    content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "program.py"
    path.write_bytes(content)
    path.chmod(0o750)

    changed_file(path).write()

    assert path.read_bytes() == content.replace(b"dspy", b"dspex")
    assert path.stat().st_mode & 0o777 == 0o750
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_replaced_keeps_its_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "program.py"
    path.write_text("import dspy\n")
    change = changed_file(path)

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PermissionError):
        change.write()

    assert path.read_text() == "import dspy\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.py", tmp_path / "link.py"
    real.write_text("import dspy\n")
    link.symlink_to(real)

    changed_file(link).write()

    assert link.is_symlink()
    assert real.read_text() == "import dspex\n"


@pytest.mark.skipif(shutil.which("patch") is None, reason="needs the tool patch")
@pytest.mark.parametrize(
    "text",
    ["import dspy\nx\n", "x\nimport dspy", "import dspy\n\x0c\n'x\x1cy'\ndspy.LM"],
)
def test_the_diff_is_one_that_patch_takes(text: str, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(text)
    change = changed_file(path)

    subprocess.run(
        ["patch", "-p1", "-d", "/"], input=change.diff().encode(), check=True
    )

    assert path.read_text() == change.after


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.py", b"import dspy\nx = ("),
        ("a.py", b"x = '\xff'"),
        ("a.py", b"# coding: nothing-known\n"),
        ("a.ipynb", b"{}"),
        ("a.ipynb", b"\xff"),
    ],
)
def test_what_cannot_be_read_is_an_error_that_names_the_file(
    name: str, content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(DataError, match=name) as caught:
        changed_file(path)

    assert caught.value.path == path


def test_the_line_that_is_no_python_is_told(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text("import dspy\nx = )\n")

    with pytest.raises(DataError, match=r"line 2: unmatched") as caught:
        changed_file(path)

    assert caught.value.line == 2
