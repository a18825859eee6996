"""Searches of optimisers, in the library that is handed in: dspex or DSPy.

    python optimisers_side.py dspy|dspex < SCENARIOS.json

It runs by its path in DSPy's own environment too, so it imports nothing of this
project. What the model says depends on what both libraries show it alike: the question,
the questions of the demos, marked words of the instruction, and the rollout; never on
the words around them.
"""

from __future__ import annotations

import importlib
import json
import logging
import re
import sys
from hashlib import sha256
from typing import Any, Literal, TypedDict

PROPOSED = "inst-"
"""How the marked words of instructions begin."""
FIELDS = (
    ("observations", "they are short"),
    ("summary", "short questions"),
    ("program_description", "it answers"),
    ("module_description", "it answers too"),
)
"""What the model says of data and programs."""


class Scenario(TypedDict):
    """A search, as numbers and words."""

    optimiser: Literal["random_search", "copro", "mipro"]
    """Which one."""
    seed: int
    """Decides which answers are right."""
    steps: int
    """Predictors of the program."""
    train: int
    """Examples to learn from."""
    val: int
    """Examples to choose by."""
    options: dict[str, Any]
    """Of the optimiser's constructor."""
    compile: dict[str, Any]
    """Of its `compile`."""


def chance(*parts: Any) -> float:
    """Draw a number from 0 to 1, the same each time."""
    text = json.dumps(parts, sort_keys=True)
    return int.from_bytes(sha256(text.encode()).digest()[:6], "big") / 2**48


def word(*parts: Any) -> str:
    """Draw a marked word."""
    return PROPOSED + sha256(json.dumps(parts).encode()).hexdigest()[:8]


def model(library: Any, scenario: Scenario) -> Any:
    """A model that answers by rule; see above."""
    seed = scenario["seed"]

    class Scripted(library.BaseLM):  # type: ignore[misc] # of whichever library
        def __call__(
            self,
            prompt: str | None = None,
            messages: list[dict[str, Any]] | None = None,
            **settings: Any,
        ) -> list[str]:
            called = {**self.kwargs, **settings}
            turns = [turn["content"] for turn in messages or []]
            asked = re.search(r"\[\[ ## question ## \]\]\n(q\d+)\n", turns[-1] + "\n")
            rollout = called.get("rollout_id") or 0
            if asked:
                return [answer(seed, asked.group(1), turns, rollout)]
            # Several completions of one call are what several rollouts are elsewhere.
            many = called.get("n") or 1
            rollouts = range(many) if many > 1 else [rollout]
            return [proposal(seed, turns, each) for each in rollouts]

    return Scripted("scripted")


def answer(seed: int, question: str, turns: list[str], rollout: int) -> str:
    """Answer a question, right or not."""
    shown = re.findall(r"\[\[ ## question ## \]\]\n(q\d+)\n", "\n".join(turns[:-1]))
    told = sorted(set(re.findall(rf"{PROPOSED}\w+", turns[0])))
    # The step of a program: what it was given besides the question.
    step = len(re.findall(r"\[\[ ## note\d* ## \]\]\n", turns[-1]))
    is_right = chance(seed, question, sorted(shown), told, rollout, step) < 0.5
    said = f"{question} {'right' if is_right else 'wrong'}"
    names = ("answer", *(f"note{number}" for number in range(4)))
    return sections((name, said) for name in names)


def proposal(seed: int, turns: list[str], rollout: int) -> str:
    """Propose an instruction, in the light of the marked words there are."""
    known = re.findall(rf"{PROPOSED}\w+", turns[-1])
    said = word(seed, known, rollout)
    return sections(
        [
            *FIELDS,
            ("proposed_instruction", f"Do it. {said}"),
            ("proposed_prefix_for_output_field", f"Now {said[-3:]}:"),
        ]
    )


def sections(pairs: Any) -> str:
    """Return what the chat adapter reads; it leaves out what it did not ask for."""
    body = "\n\n".join(f"[[ ## {name} ## ]]\n{text}" for name, text in pairs)
    return f"{body}\n\n[[ ## completed ## ]]"


def program(library: Any, scenario: Scenario) -> Any:
    """Predictors one after the other, each of which sees the notes before."""
    steps = scenario["steps"]

    class Steps(library.Module):  # type: ignore[misc] # of whichever library
        def __init__(self) -> None:
            super().__init__()
            notes = ""
            for number in range(steps - 1):
                told = library.Signature(f"question{notes} -> note{number}", "Note.")
                setattr(self, f"step{number}", library.Predict(told))
                notes += f", note{number}"
            told = library.Signature(f"question{notes} -> answer", "Answer.")
            self.last = library.Predict(told)

        def forward(self, question: str) -> Any:
            notes: dict[str, str] = {}
            for number in range(steps - 1):
                name = f"note{number}"
                step = getattr(self, f"step{number}")
                notes[name] = step(question=question, **notes)[name]
            return self.last(question=question, **notes)

    return Steps()


def rows(library: Any, first: int, many: int) -> list[Any]:
    """Return examples with their questions."""
    return [
        library.Example(
            question=f"q{number}", answer=f"q{number} right", note0="-", note1="-"
        ).with_inputs("question")
        for number in range(first, first + many)
    ]


def metric(example: Any, prediction: Any, trace: Any = None) -> bool:
    """Whether the answer is right."""
    return bool(example.answer == prediction.answer)


def found_by(library: Any, scenario: Scenario) -> Any:
    """Run a search, and return what it tried and what it chose."""
    teleprompt = importlib.import_module(f"{library.__name__}.teleprompt")
    kinds = {
        "random_search": "BootstrapFewShotWithRandomSearch",
        "copro": "COPRO",
        "mipro": "MIPROv2",
    }
    kind = getattr(teleprompt, kinds[scenario["optimiser"]])
    train = rows(library, 0, scenario["train"])
    val = rows(library, scenario["train"], scenario["val"])
    sets = (
        {"trainset": train}
        if scenario["optimiser"] == "copro"
        else {
            "trainset": train,
            "valset": val,
        }
    )
    given = (
        {"eval_kwargs": {"num_threads": 4}} if scenario["optimiser"] == "copro" else {}
    )
    with library.context(lm=model(library, scenario)):
        how = kind(metric=metric, **scenario["options"])
        winner = how.compile(
            program(library, scenario), **sets, **given, **scenario["compile"]
        )
    return {
        "winner": state_of(winner),
        "candidates": [
            {
                name: each[name]
                for name in ("score", "seed", "instruction", "prefix", "depth")
                if name in each
            }
            | {"state": state_of(each["program"])}
            for each in winner.candidate_programs
        ],
        "trials": trials_of(winner),
    }


def trials_of(winner: Any) -> list[Any]:
    """Return what `MIPROv2` tried, in order."""
    told = getattr(winner, "trial_logs", {})
    kept = ("mb_score", "full_eval_score")
    return [
        {
            name: value
            for name, value in told[number].items()
            if name in kept or "predictor" in name
        }
        for number in sorted(told)
    ]


def state_of(found: Any) -> Any:
    """Return the instructions, last prefixes and demos of a program."""
    return {
        name: {
            "instruction": predictor.signature.instructions,
            "prefix": list(predictor.signature.fields.values())[-1].json_schema_extra[
                "prefix"
            ],
            "demos": [dict(demo.items()) for demo in predictor.demos],
        }
        for name, predictor in found.named_predictors()
    }


def main(name: str) -> None:
    """Run every scenario."""
    logging.disable(logging.CRITICAL)
    library = importlib.import_module(name)
    # DSPy reports with print(), and the result has to stand alone.
    out, sys.stdout = sys.stdout, sys.stderr
    scenarios = json.load(sys.stdin)
    json.dump([found_by(library, each) for each in scenarios], out)


if __name__ == "__main__":
    main(sys.argv[1])
