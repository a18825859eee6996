"""Each piece of Python in the documentation runs, and prints what the page shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import (
    FEW_ROWS,
    NEEDS_MODEL,
    ROOT,
    blocks,
    copy_data,
    name_of,
    pages,
)

WITH_PYTHON = [
    page
    for page in pages()
    if any(block.language == "python" for block in blocks(page))
]
NEEDING_MODEL = [
    page for page in WITH_PYTHON if NEEDS_MODEL in page.read_text(encoding="utf-8")
]


def run_page(
    page: Path, folder: Path, *, rows: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a page in a folder with the example's data, in a fresh interpreter.

    Args:
        page: The page.
        folder: Where to run it.
        rows: How many rows of the data there are; all unless given.
    """
    copy_data(folder, rows)
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.docs.run_page", str(page)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize(
    "page", [page for page in WITH_PYTHON if page not in NEEDING_MODEL], ids=name_of
)
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    done = run_page(page, tmp_path)

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.model
@pytest.mark.parametrize("page", NEEDING_MODEL, ids=name_of)
def test_the_code_of_a_page_runs_on_the_embedded_model(
    page: Path, tmp_path: Path
) -> None:
    done = run_page(page, tmp_path, rows=FEW_ROWS)

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_what_is_not_run_has_a_reason(page: Path) -> None:
    without = [
        block.where
        for block in blocks(page)
        if "no-run" in block.notes and not block.notes["no-run"]
    ]

    assert not without


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_each_block_says_its_language(page: Path) -> None:
    assert [block.where for block in blocks(page) if not block.language] == []


def test_a_page_whose_code_fails_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```python\nx = 1\nprint(x)\n```\n\n<!-- output -->\n```text\n2\n```\n\n"
        "```python\nraise KeyError(x)\n```\n"
    )
    script = (
        "import sys, pathlib; from tests.docs import pages, run_page;"
        "pages.ROOT = pathlib.Path(sys.argv[1]).parent;"
        "print(len(run_page.run(pathlib.Path(sys.argv[1]))))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(page)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout.strip() == "2"
