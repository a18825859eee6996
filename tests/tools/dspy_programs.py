"""The programs of `examples/from_dspy`, run before their move and after it.

`python -m tests.tools.dspy_programs --dspy-python PATH` runs each program as it was
before on a real DSPy, prints whether it gives what is written down in
`tests/data/from_dspy`, and ends with 1 when one does not. The programs after the move
are run by the tests, with `run` and `expected` of this module.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

from tests.docs import migration_page
from tests.docs.pages import ROOT

DRIVER = ROOT / "tests/tools/drive_program.py"
DATA = ROOT / "tests/data/from_dspy"


def run(package: str, python: str, program: Path) -> dict[str, Any]:
    """Run a program on a package's dummy model, and return what it gave."""
    answers = DATA / f"{program.stem}.json"
    done = subprocess.run(
        [python, str(DRIVER), package, str(program), str(answers)],
        env={**os.environ, "PYTHONPATH": str(ROOT) if package == "dspex" else ""},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return cast("dict[str, Any]", json.loads(done.stdout.splitlines()[-1]))


def expected(program: Path) -> dict[str, Any]:
    """Return what a program gives on DSPy, as it was measured there."""
    data = json.loads((DATA / f"{program.stem}.json").read_text("utf-8"))
    return cast("dict[str, Any]", data["result"])


def main() -> int:
    """Run each program on DSPy and say whether it gives what it gave."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dspy-python", required=True, help="a Python that has DSPy")
    options = parser.parse_args()
    others = [
        program.stem
        for program in migration_page.programs()
        if run("dspy", options.dspy_python, program) != expected(program)
    ]
    for program in migration_page.programs():
        print(program.stem, "differs" if program.stem in others else "the same")
    return 1 if others else 0


if __name__ == "__main__":
    sys.exit(main())
