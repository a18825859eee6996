"""dspex's or DSPy's side of `tests.benchmarks.compared`: one evaluation, and no more.

    python compared_library_side.py dspex|dspy '{"base_url": ..., "examples": 200, ...}'

It is run by its path, by a Python that has the library, and imports nothing of this
project. What it prints is a line of JSON.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
from typing import Any


def main() -> None:
    """Evaluate, and print what came of it."""
    name, words = sys.argv[1:]
    order: dict[str, Any] = json.loads(words)
    every: int = order["fails_every"]
    logging.disable(logging.CRITICAL)
    library = importlib.import_module(name)

    def metric(example: Any, prediction: Any, trace: Any = None) -> bool:
        if every and int(example.question[1:]) % every == 0:
            raise ValueError("the metric has a bug")
        return bool(example.answer == prediction.answer)

    # Both go on by what their caches have, dspex also by the name of a run.
    ours = name == "dspex"
    model = library.LM(
        "openai/gpt-4o-mini",
        api_base=order["base_url"],
        api_key="sk-bench",
        cache=order["resumable"],
    )
    library.configure(lm=model)
    rows = ({"question": f"q{n}", "answer": "yes"} for n in range(order["examples"]))
    evaluate = library.Evaluate(
        devset=[library.Example(**row).with_inputs("question") for row in rows],
        metric=metric,
        num_threads=order["workers"],
        max_errors=order["examples"],
        display_progress=False,
        **({"run": "compared"} if ours and order["resumable"] else {}),
    )
    result = evaluate(library.Predict("question -> answer"))
    print(json.dumps({"score": result.score, "says": str(result)}))


if __name__ == "__main__":
    main()
