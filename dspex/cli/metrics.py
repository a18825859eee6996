"""Which metric a command scores with: one of dspex, or the user's own."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

from dspex.cli.programs import load_attribute
from dspex.core.errors import ConfigurationError

if TYPE_CHECKING:
    from dspex.evaluate.metric import Metric

FORMS = "exact_match:FIELD, f1:FIELD, answer_exact_match, or MODULE:FUNCTION"
"""What `--metric` takes."""

_OURS = ("exact_match", "f1")
"""The metrics of dspex that are told a field."""


def metric_of(text: str) -> Metric:
    """Return the metric that a text names.

    Raises:
        click.UsageError: When it names none.

    Example:
        >>> metric_of("exact_match:capital")
        exact_match('capital')
    """
    from dspex.core.metrics import answer_exact_match, exact_match, f1
    from dspex.evaluate.metric import checked_metric

    name, colon, rest = text.partition(":")
    if name == "exact_match" and rest:
        return exact_match(rest)
    if name == "f1" and rest:
        return f1(rest)
    if text == "answer_exact_match":
        return answer_exact_match
    if not colon or not rest or name in _OURS:
        raise click.UsageError(
            f"--metric {text!r} names no metric; expected {FORMS}. For instance: "
            "--metric exact_match:capital."
        )
    try:
        return checked_metric(load_attribute(text))
    except click.UsageError as error:
        close = get_close_matches(name, _OURS, n=1)
        if not close:
            raise
        raise click.UsageError(
            f"{error.message} Or did you mean {f'{close[0]}:{rest}'!r}?"
        ) from error
    except ConfigurationError as error:
        raise click.UsageError(f"--metric {text!r}: {error}") from error
