"""Make the table of scores that `test_metrics_as_dspy.py` compares ours with.

Run it with the Python of an environment that has DSPy, from the project's root:

    python tests/tools/make_metric_cases.py > tests/unit/core/metric_cases.json

The table that is kept was made with DSPy 3.4.1.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import json
import sys
from importlib.metadata import version
from typing import Any

TEXTS = (
    "",
    "A",
    "the",
    "Lima",
    "lima.",
    "The  Lima!",
    "Lima, Peru",
    "the capital of Peru is Lima",
    "Lima Lima Lima",
    "yes",
    "Yes.",
    "no",
    "yes it is",
    "noanswer",
    "no answer",
    "1.5",
    "15",
    "1,000",
    "U.S.A.",
    "it's a start",
    "art",
    "N\u2019Djamena",
    "na\u00efve r\u00e9sum\u00e9",
    "nai\u0308ve re\u0301sume\u0301",
    "\u6771\u4eac \u90fd",
    "\u0627\u0644\u0642\u0627\u0647\u0631\u0629",
    "a_b-c",
    "\u00bd \u00b2",
    "\N{GRINNING FACE}",
    "\u0130stanbul",
    "line\none\ttab\u00a0space\u200bjoin",
    "Stra\u00dfe",
)


def main() -> None:
    # Only the environment that makes the table has it.
    dspy = importlib.import_module("dspy")
    metrics = importlib.import_module("dspy.evaluate.metrics")

    def scored(function: Any, *rows: Any) -> Any:
        # One of DSPy's functions prints.
        with contextlib.redirect_stdout(io.StringIO()):
            return function(*rows)

    pairs = []
    for said, wanted in itertools.product(TEXTS, TEXTS):
        example = dspy.Example(answer=wanted)
        found = dspy.Prediction(answer=said, context=[said])
        pairs.append(
            [
                scored(metrics.EM, said, [wanted]),
                scored(metrics.F1, said, [wanted]),
                scored(metrics.HotPotF1, said, [wanted]),
                scored(metrics.answer_exact_match, example, found),
                scored(metrics.answer_passage_match, example, found),
            ]
        )
    table = {
        "dspy": version("dspy"),
        "columns": [
            "EM",
            "F1",
            "HotPotF1",
            "answer_exact_match",
            "answer_passage_match",
        ],
        "texts": TEXTS,
        "normalized": [metrics.normalize_text(text) for text in TEXTS],
        "pairs": pairs,
    }
    json.dump(table, sys.stdout, separators=(",", ":"))
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
