"""What `dspy_states` runs in DSPy's own environment.

python tests/tools/dspy_side.py save FOLDER     writes a file of each case
python tests/tools/dspy_side.py load FOLDER     prints what DSPy makes of each file
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

# Only this folder, and not the project: it is for another environment.
from state_programs import Case, cases  # type: ignore[import-not-found] # see above


def save(case: Case, folder: Path) -> None:
    """Write a tuned program."""
    program = case.make()
    case.tune(program)
    program.save(folder / f"{case.name}.json")


def shown(library: Any, case: Case, folder: Path) -> dict[str, Any]:
    """Return what a loaded program's predictors would send, and to which model."""
    program = case.make()
    program.load(folder / f"{case.name}.json")
    adapter = library.ChatAdapter()
    return {
        name: {
            "prompt": adapter.format(predictor.signature, predictor.demos, {}),
            "model": predictor.lm and [predictor.lm.model, predictor.lm.kwargs],
        }
        for name, predictor in program.named_predictors()
    }


def main(command: str, folder: Path) -> None:
    """Save or load every case."""
    library = importlib.import_module("dspy")
    if command == "save":
        for case in cases(library):
            save(case, folder)
        return
    made = {
        case.name: shown(library, case, folder)
        for case in cases(library)
        if (folder / f"{case.name}.json").exists()
    }
    print(json.dumps(made))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
