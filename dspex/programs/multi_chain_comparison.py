"""`MultiChainComparison`: several attempts, weighed against each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dspex.core.errors import ConfigurationError, DataError
from dspex.core.prediction import Prediction
from dspex.core.signature import (
    InputField,
    OutputField,
    Signature,
    ensure_signature,
)
from dspex.programs.predict import Predict
from dspex.programs.program import Program


class MultiChainComparison(Program):
    """Shows a model `M` attempts at a question and asks for the best answer.

    An attempt is one line: the first of its reasoning, and the first of its answer.

    When to use it: when attempts differ and none is trusted. When not: when answers
    can be counted; `majority` asks nobody.

    Args:
        signature: A text such as `"question -> answer"`, or a `Signature` class. Its
            last output is what is compared.
        M: How many attempts there are.
        temperature: For the call that compares them.
        config: More settings of that call.

    Raises:
        ConfigurationError: When `M` is no count, or the signature has no output.

    Example:
        >>> MultiChainComparison("question -> answer", M=2).predict.signature.signature
        'question, reasoning_attempt_1, reasoning_attempt_2 -> rationale, answer'
    """

    def __init__(
        self,
        signature: str | type[Signature],
        M: int = 3,  # noqa: N803 - DSPy's name
        temperature: float = 0.7,
        **config: Any,
    ) -> None:
        self.M = M
        plain = ensure_signature(signature)
        if M < 1 or not plain.output_fields:
            raise ConfigurationError(
                f"M={M!r} attempts at {plain.signature!r} cannot be compared; expected "
                "at least one attempt and one output. Write "
                "MultiChainComparison('question -> answer', M=3)."
            )
        *_, self.last_key = plain.output_fields
        extended = plain
        for number in range(1, M + 1):
            field = InputField(
                prefix=f"Attempt #{number}:",
                desc=f"what attempt {number} thought and answered",
            )
            extended = extended.append(f"reasoning_attempt_{number}", field, str)
        weighed = OutputField(
            prefix="Weighed reasoning:",
            desc="which attempts hold up and why, and what follows from that",
        )
        extended = extended.prepend("rationale", weighed, str)
        self.predict = Predict(extended, temperature=temperature, **config)

    def forward(
        self, completions: Iterable[Prediction | Mapping[str, Any]], **inputs: Any
    ) -> Prediction:
        """Weigh the attempts.

        Args:
            completions: The attempts: predictions or mappings with the answer and, if
                they have one, a `rationale` or `reasoning`.
            inputs: The inputs of the signature.

        Raises:
            DataError: When there are not as many attempts as `M` says.
            KeyError: When an attempt has no answer.
        """
        return self.predict(**self._attempts(completions), **inputs)

    async def aforward(
        self, completions: Iterable[Prediction | Mapping[str, Any]], **inputs: Any
    ) -> Prediction:
        """The same for coroutines."""
        answer: Prediction = await self.predict.acall(
            **self._attempts(completions), **inputs
        )
        return answer

    def _attempts(
        self, completions: Iterable[Prediction | Mapping[str, Any]]
    ) -> dict[str, str]:
        attempts = [_attempt(each, self.last_key) for each in completions]
        if len(attempts) != self.M:
            raise DataError(
                f"{len(attempts)} attempts were given; M={self.M} were expected. Pass "
                f"as many, or make the program with M={len(attempts)}."
            )
        return {
            f"reasoning_attempt_{number}": attempt
            for number, attempt in enumerate(attempts, 1)
        }


def _attempt(completion: Prediction | Mapping[str, Any], answer: str) -> str:
    thought = completion.get("rationale") or completion.get("reasoning") or ""
    reasoning = _first_line(thought)
    said = f"My answer: {_first_line(completion[answer])}"
    return f"«{reasoning} {said}»" if reasoning else f"«{said}»"


def _first_line(value: Any) -> str:
    return str(value).strip().partition("\n")[0].strip()
