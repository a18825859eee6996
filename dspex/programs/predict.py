"""`Predict`: one question to a language model, asked as its signature says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from dspex.core.adapters import Adapter, chosen_adapter
from dspex.core.callbacks import checked_callbacks
from dspex.core.errors import ConfigurationError, DataError, DspexError
from dspex.core.foreign import refuse_dspy
from dspex.core.inputs import checked_inputs, no_positional
from dspex.core.lm import LanguageModel
from dspex.core.prediction import Prediction
from dspex.core.signature import Signature, ensure_signature
from dspex.programs.asking import Question, aask, ask, model_for, warmed
from dspex.programs.program import Program
from dspex.programs.saving.demos import dump_demo, restored_demo
from dspex.programs.saving.state import dump_lm, restored_lm_of, warn_of_unknown
from dspex.programs.settings import in_force
from dspex.programs.trace import record_step
from dspex.programs.walk import Parameter


class Predict(Program, Parameter):
    """Asks a language model for the outputs of a signature.

    When to use it: for each single question of a program. When not: where the answer
    gets better by thinking first; `ChainOfThought` asks for that.

    Args:
        signature: A text such as `"country -> capital"`, or a `Signature` class.
        callbacks: Objects that want to hear of this predictor's calls.
        config: Settings of every call, for the model: `temperature=`, `n=`, ...

    Raises:
        SignatureError: When the text is no signature.

    Example:
        >>> Predict("country -> capital", temperature=0.0)
        Predict(country -> capital)
    """

    def __init__(
        self,
        signature: str | type[Signature],
        callbacks: Sequence[Any] | None = None,
        **config: Any,
    ) -> None:
        if "lm" in config:
            raise ConfigurationError(
                "a program is not made with lm=: what follows the signature is sent to "
                "the model at each call, as temperature= is. Write program.set_lm(lm) "
                "once it is made, or give lm= to a call."
            )
        self.signature = ensure_signature(signature)
        self.callbacks = checked_callbacks(callbacks)
        self.config = config
        self.reset()

    def reset(self) -> None:
        """Forget demos, traces and the model; signature and config stay."""
        self.lm: LanguageModel | None = None
        self.adapter: Adapter | str | None = None
        self.traces: list[Any] = []
        self.train: list[Any] = []
        self.demos: list[Any] = []

    def update_config(self, **config: Any) -> None:
        """Add settings for every call."""
        self.config = {**self.config, **config}

    def get_config(self) -> dict[str, Any]:
        """Return the settings of every call."""
        return self.config

    def __call__(self, *args: Any, **kwargs: Any) -> Prediction:
        """Ask; the inputs go by name.

        Args:
            args: Nothing; there is an error that shows the call to write.
            kwargs: The inputs. For this call only: `signature=`, `demos=`, `config=`
                (settings that win over the predictor's), `lm=`, `adapter=`, and
                `prediction=` in OpenAI's shape of predicted outputs, which goes to the
                model. An input of the signature goes before those last two.

        Returns:
            The first completion; all of them are in its `.completions`.

        Raises:
            MissingInputError: When an input without default is not given.
            UnexpectedInputError: When a name is no input.
            ConfigurationError: When there is no language model.
            LMError: When the call ended without an answer.
            AdapterParseError: When a reply does not fit the signature.
        """
        if args:
            raise no_positional(self.signature, len(args))
        answer: Prediction = super().__call__(**kwargs)
        return answer

    async def acall(self, *args: Any, **kwargs: Any) -> Prediction:
        """Ask as a coroutine, on the caller's loop; else as `__call__`."""
        if args:
            raise no_positional(self.signature, len(args))
        answer: Prediction = await super().acall(**kwargs)
        return answer

    def forward(self, **kwargs: Any) -> Prediction:
        """Ask; see `__call__`."""
        question = self._question(**kwargs)
        return self._traced(question, ask(question))

    async def aforward(self, **kwargs: Any) -> Prediction:
        """Ask as a coroutine; see `acall`."""
        question = self._question(**kwargs)
        return self._traced(question, await aask(question))

    def _question(
        self,
        *,
        signature: str | type[Signature] | None = None,
        demos: Sequence[Any] | None = None,
        config: Mapping[str, Any] | None = None,
        lm: LanguageModel | None = None,
        **inputs: Any,
    ) -> Question:
        wanted = ensure_signature(signature) if signature else self.signature
        settings = {**self.config, **(config or {})}
        # What a signature has as an input is one, whatever else the name may mean.
        others = inputs.keys() - wanted.input_fields.keys()
        if "prediction" in others and _is_predicted_output(inputs["prediction"]):
            settings["prediction"] = inputs.pop("prediction")
        adapter = inputs.pop("adapter") if "adapter" in others else self.adapter
        row = checked_inputs(wanted, inputs, warn=in_force("warn_on_type_mismatch"))
        model = model_for(lm, self.lm)
        shown = self.demos if demos is None else demos
        for kind in {type(demo) for demo in shown}:
            refuse_dspy(kind, "a demo")
        return Question(
            signature=wanted,
            demos=shown,
            row=row,
            config=warmed(settings, model),
            model=model,
            adapter=chosen_adapter(adapter or in_force("adapter"), model.adapter),
            asker=self,
        )

    def _traced(self, question: Question, prediction: Prediction) -> Prediction:
        record_step(self, question.row, prediction)
        return prediction

    def dump_state(self, json_mode: bool = True) -> dict[str, Any]:  # noqa: ARG002, FBT001, FBT002 - DSPy's signature
        """Return what tuning changed, as JSON values in DSPy's shape.

        Args:
            json_mode: Is there for DSPy's callers; the values are JSON's always.

        Raises:
            DataError: When a demo holds what JSON cannot.
        """
        return {
            "traces": [],
            "train": [],
            "demos": [
                dump_demo(demo, f"demo {number}")
                for number, demo in enumerate(self.demos)
            ],
            "signature": self.signature.dump_state(),
            **dump_lm(self.lm),
        }

    def load_state(
        self, state: Mapping[str, Any], *, allow_unsafe_lm_state: bool = False
    ) -> Self:
        """Take over a dumped state, wholly or, after an error, not at all.

        Demos become dicts, as in DSPy, and their values are of the types the
        signature says.

        Args:
            state: What `dump_state` returned, here or in DSPy.
            allow_unsafe_lm_state: Whether the address of a model is taken too.

        Raises:
            DataError: When this is no state of a predictor.
            SignatureError: When it has other fields than this predictor.
        """
        loaded = _loaded(
            self.signature, state, allow_unsafe_lm_state=allow_unsafe_lm_state
        )
        warn_of_unknown(state)
        self.signature, self.demos, self.lm = loaded
        self.traces, self.train = [], []
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.signature.signature})"


def _is_predicted_output(value: Any) -> bool:
    """Say whether this is OpenAI's predicted output, and no input of that name."""
    return (
        isinstance(value, Mapping)
        and value.get("type") == "content"
        and "content" in value
    )


def _loaded(
    signature: type[Signature],
    state: Mapping[str, Any],
    *,
    allow_unsafe_lm_state: bool,
) -> tuple[type[Signature], list[dict[str, Any]], LanguageModel | None]:
    try:
        texts, demos = state["signature"], state["demos"]
        if not isinstance(texts["instructions"], str | None):
            raise TypeError("the instructions are no text")
        restored = signature.load_state(texts)
        typed = [restored_demo(restored, demo) for demo in demos]
        model = restored_lm_of(state, allow_unsafe_lm_state=allow_unsafe_lm_state)
        return restored, typed, model
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, DspexError):
            raise
        raise DataError(
            f"this is no state of a predictor: {type(error).__name__}: {error}; "
            "expected the keys 'demos', 'signature' and 'lm'. Save the program again."
        ) from error
