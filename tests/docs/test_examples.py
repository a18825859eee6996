"""The ten lines: the same in the README, the script and the notebook, and they run."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import FEW_ROWS, ROOT, blocks, copy_data

EXAMPLES = ROOT / "examples"
SCRIPT = EXAMPLES / "ten_lines.py"
NOTEBOOK = EXAMPLES / "ten_lines.ipynb"

RUN_NOTEBOOK = "from nbclient.cli import main; main()"


def code_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def notebook_code() -> str:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return "\n".join(
        "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"
    )


def copy_of_examples(folder: Path, *, rows: int | None = None) -> Path:
    copy_data(folder, rows)
    for name in (SCRIPT.name, NOTEBOOK.name):
        shutil.copy(EXAMPLES / name, folder)
    return folder


def run_python(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def test_the_readme_shows_the_script() -> None:
    shown = [block.text for block in blocks(ROOT / "README.md")]

    assert SCRIPT.read_text(encoding="utf-8") in shown


def test_the_notebook_has_the_lines_of_the_script() -> None:
    script = SCRIPT.read_text(encoding="utf-8")

    assert code_lines(notebook_code()) == code_lines(script)


def test_the_notebook_is_stored_without_output() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]

    assert not any(cell.get("outputs") for cell in cells)


def test_the_data_is_that_of_the_demo() -> None:
    def pairs(path: Path) -> list[tuple[str, str]]:
        with path.open(encoding="utf-8", newline="") as file:
            return [(row["country"], row["capital"]) for row in csv.DictReader(file)]

    demo = ROOT / "dspex/demo/data/capitals.csv"

    assert pairs(EXAMPLES / "capitals.csv") == pairs(demo)


@pytest.mark.model
def test_the_script_improves_the_program(tmp_path: Path) -> None:
    folder = copy_of_examples(tmp_path)

    done = run_python("-W", "error", SCRIPT.name, folder=folder)

    assert done.returncode == 0, done.stderr
    scores = [
        float(line.split()[0])
        for line in done.stdout.splitlines()
        if line[:1].isdigit()
    ]
    assert len(scores) == 2
    assert scores[1] >= scores[0] + 30
    assert json.loads((folder / "capital.json").read_text(encoding="utf-8"))


@pytest.mark.model
def test_the_notebook_runs(tmp_path: Path) -> None:
    folder = copy_of_examples(tmp_path, rows=FEW_ROWS)

    # Jupyter's own command: it starts a kernel and runs the cells in order.
    done = run_python("-c", RUN_NOTEBOOK, NOTEBOOK.name, folder=folder)

    assert done.returncode == 0, done.stderr
    assert (folder / "capital.json").is_file()
