"""The examples of an evaluation: a set that is checked whole, or a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dspex.core.errors import ConfigurationError
from dspex.core.example import Example
from dspex.core.foreign import refuse_dspy

Devset = Iterable[Example] | Callable[[], Iterable[Example]]
"""A sequence of examples, a stream of them, or a function that begins one."""


def checked_devset(devset: Any) -> Devset:
    """Return what was given as examples, a set checked whole.

    Raises:
        ConfigurationError: It is neither a set nor a stream, or is empty.
    """
    is_stream = not isinstance(devset, Sequence) and (
        isinstance(devset, Iterable) or callable(devset)
    )
    found: Devset = devset if is_stream else checked_set(devset, "devset")
    return found


def begun(devset: Devset) -> Iterable[Example]:
    """Return the examples of a set; a stream that a function gives begins anew.

    Raises:
        ConfigurationError: What the function gives is no stream.
    """
    found = devset() if callable(devset) else devset
    if not isinstance(found, Iterable):
        raise ConfigurationError(
            f"the devset's function gave {type(found).__name__!r}; expected something "
            "to take examples from. Return an iterator, or write it as a generator."
        )
    return found


def all_of(examples: Iterable[Example]) -> Sequence[Example]:
    """Return every example: without workers there is nothing that takes one by one."""
    return checked_set(list(examples), "devset")


def checked_set(
    examples: Any, name: str, *, have_inputs: bool = True
) -> Sequence[Example]:
    """Refuse an empty set, or one that is none, before any work starts.

    Args:
        examples: The set.
        name: What the caller calls it.
        have_inputs: Whether each example has to know which of its fields are inputs.

    Raises:
        ConfigurationError: Then.
        DataError: Nobody said which fields of an example are its inputs.
    """
    if isinstance(examples, str | bytes) or not isinstance(examples, Sequence):
        raise ConfigurationError(
            f"{name} is {type(examples).__name__!r}; expected a sequence of examples. "
            "Load it with dspex.load(file, inputs=[...])."
        )
    if not examples:
        raise ConfigurationError(
            f"{name} is empty; there is nothing to work on. Pass at least one example."
        )
    for number, example in enumerate(examples):
        refuse_dspy(example, f"{name}[{number}]")
        if not isinstance(example, Example):
            raise ConfigurationError(
                f"{name}[{number}] is {type(example).__name__!r}; expected an Example. "
                "Load rows with dspex.load(rows, inputs=[...])."
            )
        if have_inputs:
            example.inputs()  # raises when nobody said which fields are the inputs
    return examples
