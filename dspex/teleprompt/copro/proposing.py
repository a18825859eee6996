"""Asking a model for instructions, each by a call of its own: a bad one costs one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from dspex.core.errors import AdapterError
from dspex.core.lm import LanguageModel
from dspex.core.signature import InputField, OutputField, Signature
from dspex.programs.predict import Predict
from dspex.programs.settings import context
from dspex.teleprompt.studies.study import Study

ASKED_AT_ONCE = 16
"""Proposals that are asked for at a time."""


class ProposeInstruction(Signature):
    """Write a better instruction for a language model.

    You are shown the instruction it has now. Say the same task in words that leave less
    room for a wrong answer, and take a new angle rather than the nearest paraphrase.
    """

    basic_instruction: str = InputField(desc="The instruction as it is now")
    proposed_instruction: str = OutputField(desc="The instruction you propose")
    proposed_prefix_for_output_field: str = OutputField(
        desc="The words right before the model's answer, which start it off well"
    )


class ProposeAfterAttempts(Signature):
    """Write an instruction for a language model that does better than earlier ones.

    You are shown what was tried, the worst first, and the score of each; higher is
    better. Find out what the good ones have that the others lack, and go further.
    """

    attempted_instructions: list[str] = InputField(
        desc="What was tried: instruction, prefix of the answer, and score"
    )
    proposed_instruction: str = OutputField(desc="The instruction you propose")
    proposed_prefix_for_output_field: str = OutputField(
        desc="The words right before the model's answer, which start it off well"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What a model is told in one place of a program."""

    instruction: str
    """The instruction."""
    prefix: str
    """The words before the last output."""

    @classmethod
    def said(cls, instruction: str, prefix: str) -> Wording:
        """Return a wording as a model said it, without quotes around it."""
        return cls(
            instruction=str(instruction).strip('"').strip(),
            prefix=str(prefix).strip('"').strip(),
        )

    @classmethod
    def of(cls, signature: type[Signature]) -> Wording:
        """Return the wording of a signature."""
        *_, last = signature.fields.values()
        told = last.json_schema_extra
        prefix = told.get("prefix", "") if isinstance(told, dict) else ""
        return cls(instruction=signature.instructions, prefix=str(prefix))

    def put_into(self, signature: type[Signature]) -> type[Signature]:
        """Return a signature with this wording."""
        *_, last = signature.fields
        made = signature.with_instructions(self.instruction)
        return made.with_updated_fields(last, prefix=self.prefix)


def wordings(
    study: Study,
    name: str,
    signature: type[Signature],
    *,
    count: int,
    temperature: float,
    lm: LanguageModel | None,
    **inputs: Any,
) -> list[Wording]:
    """Ask a model for wordings, each by a call of its own, and return those that fit.

    Args:
        study: The study; each answer is one of its steps.
        name: What these steps are called there.
        signature: What is asked.
        count: How many are asked for.
        temperature: How freely the model answers.
        lm: The model; the configured one unless given.
        inputs: The inputs of `signature`.
    """

    def ask(number: int) -> list[str] | None:
        predict = Predict(signature, temperature=temperature)
        with ExitStack() as stack:
            if lm is not None:
                stack.enter_context(context(lm=lm))
            # A rollout of its own: equal calls would share one answer.
            config = {"rollout_id": number} if temperature else {}
            try:
                said = predict(**inputs, config=config)
            except AdapterError:
                return None
        return [said.proposed_instruction, said.proposed_prefix_for_output_field]

    def step(number: int) -> list[str] | None:
        return study.once(f"{name}.{number}", partial(ask, number))

    pieces = [partial(step, number) for number in range(count)]
    said: Sequence[list[str] | None] = list(study.side_by_side(pieces, ASKED_AT_ONCE))
    return [Wording.said(*each) for each in said if each is not None]
