"""Which metric a command scores with: one of dspex, or the user's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from dspex.cli.programs import load_attribute

FORMS = "exact_match:FIELD, answer_exact_match, or MODULE:FUNCTION"
"""What `--metric` takes."""


def metric_of(text: str) -> Callable[..., Any]:
    """Return the metric that a text names.

    Raises:
        click.UsageError: When it names none.

    Example:
        >>> metric_of("exact_match:capital")
        exact_match('capital')
    """
    from dspex.core.metrics import answer_exact_match, exact_match

    name, colon, rest = text.partition(":")
    if name == "exact_match" and rest:
        return exact_match(rest)
    if text == "answer_exact_match":
        return answer_exact_match
    if not colon or not rest or name == "exact_match":
        raise click.UsageError(
            f"--metric {text!r} names no metric; expected {FORMS}. For instance: "
            "--metric exact_match:capital."
        )
    metric = load_attribute(text)
    if not callable(metric):
        raise click.UsageError(
            f"--metric {text!r} is {type(metric).__name__!r}; expected a function of "
            "example and prediction. Name one."
        )
    found: Callable[..., Any] = metric
    return found
