"""`StreamListener`: which field of which predictor is to be streamed."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Sequence
from typing import Any

from dspex.core.adapters import Adapter, Asked
from dspex.core.adapters.field_reader import FieldReader, NothingEarly
from dspex.core.adapters.field_readers import field_reader
from dspex.core.adapters.render import render_value
from dspex.core.errors import ConfigurationError
from dspex.core.prediction import Prediction
from dspex.core.types.reasoning import Reasoning
from dspex.programs.program import Program
from dspex.programs.streaming.listening import Piece
from dspex.programs.streaming.messages import StreamResponse

_log = logging.getLogger(__name__)


class StreamListener:
    """Wants to hear one field while it is written; for `streamify`.

    Args:
        signature_field_name: The output.
        predict: The predictor that gives it; the only one that does, unless given.
        predict_name: Its name in the program, instead of `predict`; it stands in each
            `StreamResponse`.
        allow_reuse: Whether to hear every call of the predictor in a run, and not the
            first one alone.
    """

    def __init__(
        self,
        signature_field_name: str,
        predict: Any = None,
        predict_name: str | None = None,
        allow_reuse: bool = False,  # noqa: FBT001, FBT002 - DSPy's signature
    ) -> None:
        self.signature_field_name = signature_field_name
        self.predict = predict
        self.predict_name = predict_name
        self.allow_reuse = allow_reuse

    def __repr__(self) -> str:
        told = [
            repr(self.signature_field_name),
            *([f"predict_name={self.predict_name!r}"] if self.predict_name else []),
            *(["allow_reuse=True"] if self.allow_reuse else []),
        ]
        return f"StreamListener({', '.join(told)})"


def find_predictor_for_stream_listeners(
    program: Any, stream_listeners: Sequence[StreamListener]
) -> dict[int, list[StreamListener]]:
    """Find the predictor of each listener; fill in those that do not say theirs.

    Returns:
        The listeners of each predictor, by the predictor's `id()`.

    Raises:
        ConfigurationError: When no predictor has the field, or several have it.
    """
    named = program.named_predictors() if isinstance(program, Program) else []
    found: dict[int, list[StreamListener]] = {}
    for listener in stream_listeners:
        _resolve(listener, named)
        found.setdefault(id(listener.predict), []).append(listener)
    return found


def _resolve(listener: StreamListener, named: list[tuple[str, Any]]) -> None:
    if listener.predict is not None:
        names = [name for name, each in named if each is listener.predict]
        listener.predict_name = listener.predict_name or next(iter(names), None)
        return
    field, wanted = listener.signature_field_name, listener.predict_name
    fitting = [
        (name, predictor)
        for name, predictor in named
        if field in predictor.signature.output_fields and wanted in {None, name}
    ]
    if len(fitting) != 1:
        raise _unclear(field, fitting, named)
    [(listener.predict_name, listener.predict)] = fitting


def _unclear(
    field: str, fitting: list[tuple[str, Any]], named: list[tuple[str, Any]]
) -> ConfigurationError:
    if fitting:
        names = ", ".join(repr(name) for name, _ in fitting)
        return ConfigurationError(
            f"the field {field!r} is an output of several predictors: {names}; a "
            "listener hears one. Pass predict_name= with one of those names."
        )
    outputs = [name for _, each in named for name in each.signature.output_fields]
    known = ", ".join(map(repr, dict.fromkeys(outputs))) or "none"
    close = difflib.get_close_matches(field, outputs, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else "Pass one of those."
    return ConfigurationError(
        f"no predictor of this program has the output {field!r}; its outputs are: "
        f"{known}. {hint}"
    )


class FieldStream:
    """One field of one call, on its way to whoever listens.

    Args:
        listener: Who wants it.
        put: Takes each piece.
    """

    def __init__(
        self, listener: StreamListener, put: Callable[[StreamResponse], None]
    ) -> None:
        self._listener = listener
        self._name = listener.signature_field_name
        self._put = put
        self._reader: FieldReader = NothingEarly()
        self._hears_reasoning = False
        # What was given so far, which cannot be taken back.
        self._given: list[str] = []
        self.has_ended = False

    @property
    def has_begun(self) -> bool:
        """Whether anything was given."""
        return bool(self._given) or self.has_ended

    def open(self, adapter: Adapter, asked: Asked) -> None:
        """Begin to read a call.

        After a call whose answer could not be read, the next one of the same question
        comes whole, because what was given would not fit it.
        """
        field = asked.signature.output_fields.get(self._name)
        is_native = field is not None and self._name not in asked.shown.output_fields
        self._hears_reasoning = is_native and field.annotation is Reasoning  # type: ignore[union-attr] # is_native says so
        if self._given or is_native or field is None:
            self._reader = NothingEarly()
        else:
            self._reader = field_reader(adapter, asked.shown, self._name)

    def hear(self, piece: Piece) -> None:
        """Take the next piece of the answer."""
        if self.has_ended or piece.index != 0:
            return
        if self._hears_reasoning:
            self._give(piece.reasoning, is_last=False)
            return
        self._give(self._reader.feed(piece.text), is_last=self._reader.is_done)

    def answered(self, prediction: Prediction) -> None:
        """End with what is left, once the adapter has read the whole answer."""
        if not self.has_ended:
            self._give(self._rest(prediction.get(self._name)), is_last=True)

    def _rest(self, value: Any) -> str:
        left = self._reader.finish()
        given = "".join(self._given)
        if value is None:
            return left
        if not isinstance(value, str | Reasoning):
            is_whole = isinstance(self._reader, NothingEarly) and not given
            return render_value(value) if is_whole else left
        whole = str(value)
        if whole.startswith(given):
            return whole[len(given) :]
        # Only where an answer had to be mended: what was given stays given.
        _log.warning(
            "what was streamed of %r is not how its answer was read in the end; the "
            "prediction counts",
            self._name,
        )
        return ""

    def _give(self, text: str, *, is_last: bool) -> None:
        if not text and not is_last:
            return
        self._given.append(text)
        self.has_ended = is_last
        self._put(
            StreamResponse(
                self._listener.predict_name, self._name, text, is_last_chunk=is_last
            )
        )
