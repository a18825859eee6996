"""`ChainOfThought`: think first, then answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dspex.core.prediction import Prediction
from dspex.core.signature import OutputField, Signature, ensure_signature
from dspex.programs.predict import Predict
from dspex.programs.program import Program


class ChainOfThought(Program):
    """Asks for `reasoning` before the outputs of a signature.

    When to use it: questions that take more than one step. When not: facts and labels
    a model knows or does not; the reasoning costs tokens and rarely helps there.

    Args:
        signature: A text such as `"question -> answer"`, or a `Signature` class.
        rationale_field: The field to put first instead of a plain `reasoning`.
        rationale_field_type: Its type.
        callbacks: As for `Predict`.
        config: As for `Predict`.

    Example:
        >>> ChainOfThought("question -> answer")
        ChainOfThought(predict=Predict(question -> reasoning, answer))
    """

    def __init__(
        self,
        signature: str | type[Signature],
        rationale_field: Any = None,
        rationale_field_type: Any = str,
        callbacks: Sequence[Any] | None = None,
        **config: Any,
    ) -> None:
        field = OutputField() if rationale_field is None else rationale_field
        annotation = (
            getattr(rationale_field, "annotation", None) or rationale_field_type
        )
        extended = ensure_signature(signature).prepend("reasoning", field, annotation)
        super().__init__()
        self.predict = Predict(extended, callbacks=callbacks, **config)

    def forward(self, *args: Any, **kwargs: Any) -> Prediction:
        """Ask; the inputs go by name, as for `Predict`."""
        return self.predict(*args, **kwargs)

    async def aforward(self, *args: Any, **kwargs: Any) -> Prediction:
        """Ask as a coroutine, on the caller's loop."""
        return await self.predict.acall(*args, **kwargs)
