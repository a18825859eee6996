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

    optimiser: Literal["bootstrap", "random_search", "copro", "mipro"]
    """Which one."""
    seed: int
    """Decides which answers are right."""
    steps: int
    """Predictors of the program."""
    train: int
    """Examples to learn from."""
    val: int
    """Examples to choose by; with 0 no valset is given."""
    grades: bool
    """Whether the metric also gives halves."""
    raising: float
    """The share of the answers at which the metric raises."""
    program_raises: bool
    """Whether the program raises at other answers. In DSPy it then loses demos of its
    teacher, so it is asked of searches without such demos."""
    doubled: int
    """Rows of the training set that are there twice."""
    teacher: Literal["none", "program", "model"]
    """Whether a program with demos of its own teaches, or another model does."""
    demos: int
    """Demos that the program comes with."""
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


def model(library: Any, seed: int) -> Any:
    """A model that answers by rule; see above."""

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
            found = self.last(question=question, **notes)
            if scenario["program_raises"]:
                raise_at("program", scenario, found.answer)
            return found

    return Steps()


def rows(library: Any, first: int, many: int) -> list[Any]:
    """Return examples with their questions."""
    return [
        library.Example(
            question=f"q{number}", answer=f"q{number} right", note0="-", note1="-"
        ).with_inputs("question")
        for number in range(first, first + many)
    ]


def metric(scenario: Scenario) -> Any:
    """What says whether an answer is right: by words in it, and by chance."""

    def judged(example: Any, prediction: Any, trace: Any = None) -> float:
        said = str(prediction.answer)
        raise_at("metric", scenario, said)
        is_right = bool(example.answer == said)
        if scenario["grades"] and not is_right:
            return 0.5 * (chance("half", scenario["seed"], said) < 0.4)
        return float(is_right)

    return judged


def raise_at(who: str, scenario: Scenario, said: str) -> None:
    """Raise at some answers."""
    if chance(who, scenario["seed"], said) < scenario["raising"]:
        raise ValueError(said)


KINDS = {
    "bootstrap": "BootstrapFewShot",
    "random_search": "BootstrapFewShotWithRandomSearch",
    "copro": "COPRO",
    "mipro": "MIPROv2",
}
"""The classes' names."""


def found_by(library: Any, scenario: Scenario) -> Any:
    """Run a search, and return what it tried and what it chose, or that it raised."""
    kind = getattr(library, KINDS[scenario["optimiser"]])
    train = rows(library, 0, scenario["train"])
    val = rows(library, scenario["train"], scenario["val"])
    student = program(library, scenario)
    options, told = (
        dict(scenario["options"]),
        {"trainset": train, **scenario["compile"]},
    )
    give_demos(student, train[: scenario["demos"]])
    if scenario["teacher"] == "program":
        teacher = told["teacher"] = program(library, scenario)
        give_demos(teacher, train[-2:])
        teacher._compiled = True
    if scenario["teacher"] == "model":
        lm = model(library, scenario["seed"] + 1000)
        options["teacher_settings"] = {"lm": lm}
    if scenario["optimiser"] in {"random_search", "mipro"} and val:
        told["valset"] = val
    # An evaluation of COPRO's takes its limit of errors from there.
    with library.context(lm=model(library, scenario["seed"]), max_errors=1000):
        try:
            winner = kind(metric=metric(scenario), **options).compile(student, **told)
        except Exception as error:
            return {"raised": f"{type(error).__name__}: {error}"}
    return {
        "winner": state_of(winner),
        "candidates": [
            {name: each[name] for name in FACTS if name in each}
            | {"state": state_of(each["program"])}
            for name in ("candidate_programs", "mb_candidate_programs")
            for each in getattr(winner, name, ())
        ],
        "trials": trials_of(winner),
        "statistics": statistics_of(winner),
    }


def give_demos(program: Any, demos: list[Any]) -> None:
    """Give each predictor of a program these demos."""
    for predictor in program.predictors():
        predictor.demos = list(demos)


FACTS = ("score", "seed", "subscores", "instruction", "prefix", "depth", "full_eval")
"""What a candidate says of itself."""


def statistics_of(winner: Any) -> dict[str, Any]:
    """Return the numbers an optimiser leaves; predictors are told by their place."""
    found = {
        name: getattr(winner, name)
        for name in ("total_calls", "score")
        # MIPROv2 of DSPy never counts its calls.
        if hasattr(winner, name) and not hasattr(winner, "trial_logs")
    }
    if hasattr(winner, "results_best"):
        found["results_best"] = list(winner.results_best.values())
        # From the second predictor on, DSPy's hold the ones before, too.
        found["results_latest"] = list(winner.results_latest.values())[:1]
    return found


def trials_of(winner: Any) -> list[Any]:
    """Return what `MIPROv2` tried, in order."""
    told = getattr(winner, "trial_logs", {})
    kept = ("mb_score", "full_eval_score", "total_eval_calls_so_far")
    programs = ("mb_program", "full_eval_program")
    return [
        {
            name: state_of(value) if name in programs else value
            for name, value in told[number].items()
            if name in (*kept, *programs) or "predictor" in name
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
