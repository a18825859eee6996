"""`Predict`: one question to a language model, asked as its signature says."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from dspex.core.adapters import Adapter, Asked, chosen_adapter
from dspex.core.errors import (
    ConfigurationError,
    DataError,
    DspexError,
    MissingInputError,
)
from dspex.core.lm import LanguageModel, Reply
from dspex.core.placeholder import placeholder_outputs
from dspex.core.prediction import Prediction
from dspex.core.signature import Signature, ensure_signature
from dspex.programs.demos import dump_demo, restored_demo
from dspex.programs.program import Program
from dspex.programs.rehearsal import is_rehearsal
from dspex.programs.settings import check_lm, settings
from dspex.programs.state import dump_lm, restored_lm_of
from dspex.programs.trace import record_step, record_usage
from dspex.programs.walk import Parameter


class UnexpectedInputError(DspexError, ValueError):
    """A predictor was called with a name that is no input of its signature.

    Attributes:
        unexpected: The names that were given.
        known: The inputs of the signature.
    """

    def __init__(
        self, message: str, *, unexpected: tuple[str, ...], known: tuple[str, ...]
    ) -> None:
        super().__init__(message)
        self.unexpected = unexpected
        self.known = known


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
        self.signature = ensure_signature(signature)
        self.callbacks = list(callbacks or ())
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
                (settings that win over the predictor's) and `lm=`.

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
            raise _positional(self.signature, len(args))
        answer: Prediction = super().__call__(**kwargs)
        return answer

    def forward(
        self,
        *,
        signature: str | type[Signature] | None = None,
        demos: Sequence[Any] | None = None,
        config: Mapping[str, Any] | None = None,
        lm: LanguageModel | None = None,
        **inputs: Any,
    ) -> Prediction:
        """Ask; see `__call__`."""
        wanted = ensure_signature(signature or self.signature)
        row = _checked_inputs(wanted, inputs)
        model = self._model(lm)
        adapter = chosen_adapter(self.adapter or settings.adapter, model.adapter)
        shown = self.demos if demos is None else demos
        own = {**self.config, **(config or {})}
        asked = adapter.ask(wanted, shown, row, model, own)
        reply = model.complete(asked.messages, asked.settings)
        # Before parsing: a reply that cannot be read was paid for as well.
        record_usage(model.model, reply)
        prediction = _prediction(adapter, asked, reply, model.model)
        record_step(self, row, prediction)
        return prediction

    def _model(self, lm: LanguageModel | None) -> LanguageModel:
        model = lm or self.lm or settings.lm
        check_lm(model)
        if model is None:
            raise ConfigurationError(
                "No LM is loaded, so nobody can be asked; a program needs a language "
                'model. Write dspex.configure(lm=dspex.LM("openai/gpt-4o-mini")).'
            )
        found: LanguageModel = model
        return found

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
        self.signature, self.demos, self.lm = loaded
        self.traces, self.train = [], []
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.signature.signature})"


def _checked_inputs(
    signature: type[Signature], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the inputs in the signature's order, defaults filled in."""
    fields = signature.input_fields
    unexpected = tuple(name for name in inputs if name not in fields)
    if unexpected:
        raise _unexpected(signature, unexpected)
    missing = tuple(
        name
        for name, field in fields.items()
        if name not in inputs and field.is_required()
    )
    if missing:
        raise _missing(signature, missing)
    return {
        name: inputs[name]
        if name in inputs
        else field.get_default(call_default_factory=True, validated_data={})
        for name, field in fields.items()
    }


def _prediction(adapter: Adapter, asked: Asked, reply: Reply, model: str) -> Prediction:
    if is_rehearsal() and not reply.cached:
        answers = [placeholder_outputs(asked.signature) for _ in reply.texts]
    else:
        answers = adapter.read(asked, reply)
    prediction = Prediction.from_completions(answers, signature=asked.signature)
    prediction.set_lm_usage({model: reply.usage})
    return prediction


def _loaded(
    signature: type[Signature],
    state: Mapping[str, Any],
    *,
    allow_unsafe_lm_state: bool,
) -> tuple[type[Signature], list[dict[str, Any]], LanguageModel | None]:
    try:
        texts, demos = state["signature"], state["demos"]
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


def _positional(signature: type[Signature], count: int) -> MissingInputError:
    names = tuple(signature.input_fields)
    return MissingInputError(
        f"{count} positional arguments were given to a predictor; it takes its inputs "
        f"by name: {_listed(names)}. Write it as {_example_call(names)}.",
        missing=names,
    )


def _missing(signature: type[Signature], missing: tuple[str, ...]) -> MissingInputError:
    names = tuple(signature.input_fields)
    return MissingInputError(
        f"the call lacks {_listed(missing)}; {signature.signature!r} needs all of "
        f"{_listed(names)}. Write it as {_example_call(names)}.",
        missing=missing,
    )


def _unexpected(
    signature: type[Signature], unexpected: tuple[str, ...]
) -> UnexpectedInputError:
    names = tuple(signature.input_fields)
    close = difflib.get_close_matches(unexpected[0], names, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else "Leave the others out."
    return UnexpectedInputError(
        f"{_listed(unexpected)} is no input; the inputs of {signature.signature!r} "
        f"are {_listed(names)}. {hint}",
        unexpected=unexpected,
        known=names,
    )


def _example_call(names: Iterable[str]) -> str:
    return f"predict({', '.join(f'{name}=...' for name in names)})"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
