"""Instructions proposed in the light of the program, its data, and its demos.

What the model is shown, and which draws are made, is DSPy's grounded proposer; the
words are ours. What does not depend on the draw (what the data is like, what the
program does) is asked once for all instructions.
"""

from __future__ import annotations

import inspect
import math
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final

from dspex.core.errors import AdapterError
from dspex.core.example import Example
from dspex.core.lm import LanguageModel
from dspex.core.signature import Signature
from dspex.evaluate.record.codec import encode
from dspex.programs.predict import Predict
from dspex.programs.program import Program
from dspex.programs.settings import context
from dspex.teleprompt.few_shot.demo_sets import Demos
from dspex.teleprompt.mipro.grounded_questions import (
    DescribeData,
    DescribeModule,
    DescribeMoreData,
    DescribeProgram,
    ProposeGrounded,
    SummarizeData,
)
from dspex.teleprompt.studies.study import Study

TIPS: Final[Mapping[str, str]] = {
    "none": "",
    "creative": "Try an unusual angle; do not rephrase what is there.",
    "simple": "Make it short and plain.",
    "description": "Describe the task in full, with all that matters.",
    "high_stakes": "Say that a good deal depends on the answer being right.",
    "persona": "Give the model a part to play that fits the task.",
}
"""Ways to go about an instruction, one of which is drawn for each; DSPy's names."""
SHOWN_DEMOS: Final = 3
"""Demos that are shown with a request for an instruction."""
MOST_LOOKS: Final = 10
"""Batches of the data that are looked at, the first one included."""
ENOUGH_SKIPS: Final = 5
"""Looks without anything new after which no more are taken."""
NO_DEMOS: Final = "There are none."

_HEADING = re.compile(r"^[*\s]*(?:[\w'-]+\s+){0,4}[\w'-]+:\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What instructions are proposed in the light of."""

    program: bool = True
    """Whether the program's code is shown and described."""
    data: bool = True
    """Whether the training set is looked at and summed up."""
    tips: bool = True
    """Whether each request has a tip, which is drawn."""
    demos: bool = True
    """Whether demos are shown."""
    view_data_batch_size: int = 10
    """Examples that are looked at together."""

    def described_at_most(self, *, rows: int, predictors: int) -> int:
        """Return how many answers it takes to describe data and program, at most.

        Args:
            rows: Examples in the training set.
            predictors: How many the program has.
        """
        looks = math.ceil(rows / self.view_data_batch_size)
        data = min(MOST_LOOKS, looks) + 1 if self.data else 0
        return data + (predictors + 1 if self.program else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draw:
    """What is drawn for one instruction."""

    predictor: int
    demo_set: int
    tip: str
    rollout: int


class GroundedProposer:
    """Proposes instructions for each predictor of a program.

    Args:
        study: The study; each answer is one of its steps.
        program: The program, whose instructions are to be better.
        lm: Who proposes; the configured model unless given.
        grounds: What it is shown.
        temperature: How freely it proposes.
    """

    def __init__(
        self,
        study: Study,
        program: Program,
        lm: LanguageModel | None,
        grounds: Grounds,
        temperature: float,
    ) -> None:
        self._study = study
        self._program = program
        self._lm = lm
        self._grounds = grounds
        self._temperature = temperature
        # Appended to by pieces side by side; only its length is read.
        self._asks: list[str] = []

    @property
    def asked(self) -> int:
        """How many answers it has asked for."""
        return len(self._asks)

    def instructions(
        self, count: int, demo_sets: Sequence[Demos], rng: random.Random
    ) -> list[list[str]]:
        """Return the instructions to try for each predictor, the present one first.

        A proposal that does not fit is left out.

        Args:
            count: How many for each predictor, the present one included.
            demo_sets: The sets of demos; the first ones go with an instruction each.
            rng: Where draws come from; it goes on from there.
        """
        grounds = self._grounds
        many = min(count, max(len(demo_sets), 1))
        draws = [
            self._draw(number, at, rng)
            for number in range(len(self._program.predictors()))
            for at in range(many)
        ]
        code = code_of(self._program) if grounds.program else ""
        data = self._data() if grounds.data else ""
        shown = _shown(self._program, 0, demo_sets, 0) if demo_sets else NO_DEMOS
        about = self._about(code, shown) if code else ""
        told = {"dataset": data, "program_code": code, "program_description": about}
        numbers = range(len(self._program.predictors()))
        modules = list(
            self._study.side_by_side(
                [partial(self._about_module, each, told, shown) for each in numbers]
            )
        )
        pieces = [
            partial(
                self._proposed,
                draw,
                demo_sets,
                {**told, "module_description": modules[draw.predictor]},
            )
            for draw in draws
            # The first one gives way to the present instruction.
            if draw.demo_set > 0
        ]
        proposed = iter(list(self._study.side_by_side(pieces, at_once=16)))
        found = []
        for predictor in self._program.predictors():
            of_it = [next(proposed) for _ in range(many - 1)]
            kept = [each for each in of_it if each]
            found.append([predictor.signature.instructions, *kept])
        return found

    def _draw(self, number: int, demo_set: int, rng: random.Random) -> _Draw:
        tip = rng.choice(list(TIPS)) if self._grounds.tips else "none"
        rollout = rng.randint(0, 10**9)
        return _Draw(predictor=number, demo_set=demo_set, tip=tip, rollout=rollout)

    def _proposed(
        self, draw: _Draw, demo_sets: Sequence[Demos], told: Mapping[str, str]
    ) -> str | None:
        number = draw.predictor
        predictor = self._program.predictors()[number]
        demos = NO_DEMOS
        if self._grounds.demos and demo_sets:
            demos = _shown(self._program, number, demo_sets, draw.demo_set)
        inputs = {
            "dataset_description": told["dataset"],
            "program_code": told["program_code"],
            "program_description": told["program_description"],
            "module": _module(predictor),
            "module_description": told["module_description"],
            "task_demos": demos,
            "basic_instruction": predictor.signature.instructions,
            "tip": TIPS[draw.tip],
        }
        told_inputs = {name: text for name, text in inputs.items() if text}
        signature = _without(ProposeGrounded, set(inputs) - set(told_inputs))
        config = {"rollout_id": draw.rollout, "temperature": self._temperature}
        name = f"instruction.p{number}.{draw.demo_set}"
        return self._asked(name, signature, "proposed_instruction", config, told_inputs)

    # What does not depend on a draw.

    def _data(self) -> str:
        """Return what the training set is like, looked at batch by batch."""
        rows, size = self._study.order.trainset, self._grounds.view_data_batch_size
        noticed = self._asked(
            "data.0",
            DescribeData,
            "observations",
            {"temperature": 1.0},
            {"examples": _rows_text(rows[:size])},
        )
        if noticed is None:
            return ""
        skips = 0
        starts = range(size, len(rows), size)[: MOST_LOOKS - 1]
        for look, start in enumerate(starts, start=1):
            more = self._asked(
                f"data.{look}",
                DescribeMoreData,
                "observations",
                {"temperature": 1.0},
                {
                    "examples": _rows_text(rows[start : start + size]),
                    "prior_observations": noticed,
                },
            )
            if more is None:
                break
            if more[:8].upper() == "COMPLETE":
                skips += 1
                if skips == ENOUGH_SKIPS:
                    break
                continue
            noticed += more
        summary = self._asked(
            "data.summary",
            SummarizeData,
            "summary",
            {"temperature": 1.0},
            {"observations": noticed},
        )
        return noticed if summary is None else summary

    def _about(self, code: str, demos: str) -> str:
        found = self._asked(
            "program",
            DescribeProgram,
            "program_description",
            {"temperature": self._temperature},
            {"program_code": code, "program_example": demos},
        )
        return found or ""

    def _about_module(self, number: int, told: Mapping[str, str], demos: str) -> str:
        if not told["program_description"]:
            return ""
        inputs = {
            "program_code": told["program_code"],
            "program_description": told["program_description"],
            "program_example": demos,
            "module": _module(self._program.predictors()[number]),
        }
        config = {"temperature": self._temperature}
        name = f"module.p{number}"
        found = self._asked(name, DescribeModule, "module_description", config, inputs)
        return found or ""

    def _asked(
        self,
        name: str,
        signature: type[Signature],
        output: str,
        config: Mapping[str, Any],
        inputs: Mapping[str, str],
    ) -> str | None:
        """Ask for one text, once; `None` when the answer did not fit."""

        def ask() -> str | None:
            with ExitStack() as stack:
                if self._lm is not None:
                    stack.enter_context(context(lm=self._lm))
                try:
                    said = Predict(signature)(**inputs, config=dict(config))
                except AdapterError:
                    return None
            return without_heading(str(said[output]))

        self._asks.append(name)
        return self._study.once(name, ask)


def without_heading(text: str) -> str:
    """Return a text without a heading before it or quotes around it.

    Example:
        >>> without_heading('Proposed instruction: "Name the capital."')
        'Name the capital.'
    """
    return _HEADING.sub("", text).strip('"')


def code_of(program: Program) -> str:
    """Return a program as text for a model: its predictors, and the code between them.

    The code is left out where it is dspex's own, and where nobody has it, as of a class
    written in a console.
    """
    parts = [type(program).__name__]
    for name, predictor in program.named_predictors():
        signature = predictor.signature
        parts.append(f"{name}: {signature.signature}\n{signature.instructions}")
    if not type(program).__module__.startswith("dspex."):
        with suppress(OSError, TypeError):
            parts.append(inspect.cleandoc(inspect.getsource(type(program).forward)))
    return "\n\n".join(parts)


def _module(predictor: Any) -> str:
    signature = predictor.signature
    inputs, outputs = (
        ", ".join(signature.input_fields),
        ", ".join(signature.output_fields),
    )
    return f"{type(predictor).__name__}({inputs}) -> {outputs}"


def _shown(program: Program, number: int, demo_sets: Sequence[Demos], at: int) -> str:
    """Return the first demos a teacher made for a predictor, from one set onwards."""
    ordered = [*demo_sets[at:], *demo_sets[:at]]
    made = (
        demo for demos in ordered for demo in demos[number] if demo.get("augmented")
    )
    fields = program.predictors()[number].signature.fields
    texts = [_demo_text(fields, demo) for demo in islice(made, SHOWN_DEMOS)]
    return "\n\n".join(texts) or NO_DEMOS


def _demo_text(fields: Mapping[str, Any], demo: Example) -> str:
    return "\n".join(f"{name}: {demo.get(name)}" for name in fields)


def _rows_text(rows: Sequence[Example]) -> str:
    return "\n".join(encode(row.toDict()) for row in rows)


def _without(signature: type[Signature], names: Iterable[str]) -> type[Signature]:
    """Return a signature without some of its inputs."""
    for name in names:
        signature = signature.delete(name)
    return signature
