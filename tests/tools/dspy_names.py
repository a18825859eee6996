"""Writes DSPy's public names down, by looking at a real DSPy.

    python -m tests.tools.dspy_names --dspy-python VENV/bin/python

writes `tests/data/dspy_names.json`: every module of the package, every public name of
the modules that its users import from, and for each class and function its parameters,
methods and properties. Names and nothing else: no text of DSPy's is in the file. The
reference page, `dspex migrate` and the alias runner are held to it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

DATA = Path(__file__).parents[1] / "data/dspy_names.json"

_LOOK = Path(__file__).with_name("dspy_look.py")


def look(python: str) -> dict[str, Any]:
    """Return DSPy's names, read in the environment of that interpreter."""
    done = subprocess.run(
        [python, str(_LOOK)], capture_output=True, text=True, check=True, timeout=300
    )
    return cast("dict[str, Any]", json.loads(done.stdout))


def read() -> dict[str, Any]:
    """Return the names as they were written down."""
    return cast("dict[str, Any]", json.loads(DATA.read_text("utf-8")))


def main(arguments: list[str]) -> None:
    """Write the names down."""
    parser = argparse.ArgumentParser(description="Write DSPy's public names down.")
    parser.add_argument("--dspy-python", required=True, help="an interpreter with DSPy")
    chosen = parser.parse_args(arguments)
    found = look(chosen.dspy_python)
    DATA.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"{len(found['names'])} names of DSPy {found['version']} in {DATA.name}")


if __name__ == "__main__":
    main(sys.argv[1:])
