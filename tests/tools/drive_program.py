"""Runs one of the programs of `examples/from_dspy` with given answers.

    python drive_program.py dspy|dspex PROGRAM.py ANSWERS.json

Runs by its path, in DSPy's own environment too, so it imports nothing of this project
but the package it is told. What the program's `main()` gives is printed as JSON on the
last line.
"""

from __future__ import annotations

import importlib
import json
import runpy
import sys
from pathlib import Path


def main(package: str, program: str, answers: str) -> None:
    """Run the program's `main()` on the package's own dummy model."""
    library = importlib.import_module(package)
    home = {"dspy": "dspy.utils", "dspex": "dspex.testing"}[package]
    dummy = importlib.import_module(home).DummyLM
    given = json.loads(Path(answers).read_text("utf-8"))["answers"]
    library.configure(lm=dummy(given))
    found = runpy.run_path(program)
    print(json.dumps(found["main"]()))


if __name__ == "__main__":
    main(*sys.argv[1:])
