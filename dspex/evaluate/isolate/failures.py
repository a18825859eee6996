"""Errors on their way from one process to the other: told as facts, made anew there.

dspex's own errors and Python's come out as what they were, so that `except` and the
causes of failures work on both sides. An error of somebody's own class comes out as an
`ElsewhereError` that knows its name.
"""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from typing import Any

from dspex.core import errors
from dspex.core.errors import DataError, DspexError
from dspex.evaluate.isolate.channel import Line
from dspex.evaluate.isolate.nodes import Node, node_of, value_of
from dspex.evaluate.results.outcome import ErrorNote, Stage, note


class ElsewhereError(Exception):
    """An error of another process whose class is not one of ours or of Python's.

    Attributes:
        type: The name of its class.
    """

    def __init__(self, message: str, *, type: str) -> None:  # noqa: A002 - its word
        super().__init__(message)
        self.type = type


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error as it crosses the line."""

    stage: Stage
    """In whose code it came up."""
    type: str
    """The class of the exception."""
    message: str
    """Its text."""
    where: str
    """The last lines of its traceback, in the process it came up in."""
    facts: Node = None
    """Its attributes, of dspex's errors; `None` where JSON cannot hold them."""
    is_known: bool = False
    """Whether its class is one of dspex's or Python's own."""

    @classmethod
    def of(cls, error: BaseException, stage: Stage) -> Failure:
        """Tell an error."""
        told = note(error, stage)
        is_known = _class_called(told.type) is type(error)
        return cls(
            stage=stage,
            type=told.type,
            message=told.message,
            where=told.where,
            facts=_facts_of(error) if is_known else None,
            is_known=is_known,
        )

    def line(self) -> Line:
        """Return it as JSON."""
        return {name: getattr(self, name) for name in self.__slots__}

    def error(self) -> BaseException:
        """Make the error anew."""
        kind = _class_called(self.type) if self.is_known else None
        if kind is None:
            return ElsewhereError(self.message, type=self.type)
        # Not by its constructor: each has another, and the facts are at hand.
        made: BaseException = kind.__new__(kind, self.message)
        made.args = (self.message,)
        if self.facts is not None:
            vars(made).update(value_of(self.facts, may_import=False))
        return made

    def note(self, error: BaseException) -> ErrorNote:
        """Return what is kept of it, with the error it became here."""
        return ErrorNote(
            stage=self.stage,
            type=self.type,
            message=self.message,
            where=self.where,
            error=error,
        )


def _class_called(name: str) -> type[BaseException] | None:
    found = getattr(errors, name, None) or getattr(builtins, name, None)
    is_error = isinstance(found, type) and issubclass(found, Exception)
    return found if is_error else None


def _facts_of(error: BaseException) -> Node:
    facts: dict[str, Any] = vars(error) if isinstance(error, DspexError) else {}
    kept = {}
    for name, fact in facts.items():
        try:
            kept[name] = node_of(fact, name)
        except DataError:
            # A live object, such as the result of an inner evaluation.
            kept[name] = None
    return {"dict": [[name, node] for name, node in kept.items()]}
