"""What a metric is, and what it says of one answer, as numbers.

A metric is a function or an async function of example and prediction, or a mapping of
several of them by name. It gives a number, a bool, a mapping of numbers, or a
`Prediction` with a `score`. Here all of that becomes one `Judgement`.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from numbers import Real
from types import MappingProxyType
from typing import Any, Final, TypeVar

from dspex.core.errors import ConfigurationError
from dspex.core.example import Example
from dspex.core.foreign import refuse_dspy
from dspex.evaluate.awaiting import awaited

T = TypeVar("T")

# Not `Mapping[str, Callable]`: mypy takes a dict of unlike metrics for one of objects.
Metric = Callable[..., Any] | Mapping[str, Any]
"""`metric(example, prediction)`, or with a third argument `trace`; or several by name,
the first of which is the score."""

FEEDBACK: Final = "feedback"
"""The name under which a metric says in words what was wrong."""
_NOTHING: Final[Mapping[str, float]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a metric said of one answer."""

    score: float
    """The number that counts."""
    columns: Mapping[str, float] = field(default_factory=lambda: _NOTHING)
    """All numbers by name, the score among them; empty when there is but one."""
    feedback: str | None = None
    """What was wrong, in words."""


def judge(
    metric: Metric, example: Example, prediction: Any, trace: Any = None
) -> Judgement:
    """Ask a metric, and take what it gives as numbers.

    An async metric is run to its end on an event loop of its own.

    Args:
        metric: One metric, or several by name.
        example: What was wanted.
        prediction: What the program gave.
        trace: The program's steps, to decide whether they may become a demonstration;
            `None` to measure, and the metric is then called without it.

    Raises:
        TypeError: It gives no number; a metric without `return` gives `None`.
        ValueError: A number is not finite.
    """
    arguments = (example, prediction) if trace is None else (example, prediction, trace)
    if not isinstance(metric, Mapping):
        return judgement_of(_called(metric, *arguments), metric_name(metric))
    return _joined(
        {
            name: judgement_of(_called(one, *arguments), name)
            for name, one in metric.items()
        }
    )


async def ajudge(metric: Metric, example: Example, prediction: Any) -> Judgement:
    """Ask a metric as `judge` does, without blocking the running loop.

    An async metric is awaited on that loop. A plain one runs in a thread, unless it is
    one of `dspex.metrics`, which only compute. Several are asked one after another.

    Raises:
        TypeError: It gives no number; a metric without `return` gives `None`.
        ValueError: A number is not finite.
    """
    if not isinstance(metric, Mapping):
        value = await awaited(metric, example, prediction)
        return judgement_of(value, metric_name(metric))
    judged = {}
    for name, one in metric.items():
        judged[name] = judgement_of(await awaited(one, example, prediction), name)
    return _joined(judged)


def _joined(judged: Mapping[str, Judgement]) -> Judgement:
    """Make one judgement of several metrics', the first of which is the score."""
    first = next(iter(judged.values()))
    told = [f"{name}: {one.feedback}" for name, one in judged.items() if one.feedback]
    return Judgement(
        score=first.score,
        columns=dict(_flat(judged)),
        feedback="\n".join(told) or None,
    )


def judgement_of(value: Any, name: str) -> Judgement:
    """Take what a metric gave as numbers.

    - A number or a bool is the score.
    - Of a mapping, `score` is the score, else its first number; a text called
      `feedback` says what was wrong. All its numbers are columns.
    - Of a `Prediction` or another object with a `score` and maybe a `feedback`, these
      two count.

    Raises:
        ConfigurationError: It is an object of DSPy.
        TypeError: It is none of these.
        ValueError: A number is not finite.

    Example:
        >>> judgement_of({"exact": True, "f1": 0.5}, "m").columns
        {'exact': 1.0, 'f1': 0.5}
        >>> judgement_of({"f1": 0.5, "score": 0.2, "feedback": "Too long."}, "m").score
        0.2
    """
    if isinstance(value, Real):
        return Judgement(score=_number(value, name))
    if isinstance(value, Mapping):
        return _of_mapping(value, name)
    refuse_dspy(value, f"what the metric {name} gave")
    score, told = getattr(value, "score", None), getattr(value, FEEDBACK, None)
    if not isinstance(score, Real):
        raise _no_number(value, name)
    return Judgement(score=_number(score, name), feedback=_words(told, name))


def checked_metric(metric: Any) -> Metric:
    """Refuse what cannot be called.

    Raises:
        ConfigurationError: Then.
    """
    if isinstance(metric, Mapping):
        wrong = next((name for name, one in metric.items() if not callable(one)), None)
        if not metric or wrong is not None:
            what = (
                "is empty" if wrong is None else f"has {metric[wrong]!r} as {wrong!r}"
            )
            raise ConfigurationError(
                f"the mapping of metrics {what}; expected functions by name, the first "
                "of which is the score. Write {'exact': exact_match('answer'), ...}."
            )
        return dict(metric)
    refuse_dspy(metric, "metric")
    if not callable(metric):
        raise ConfigurationError(
            f"metric is {metric!r}; expected a function of example and prediction, "
            "such as dspex.metrics.exact_match('answer')."
        )
    return metric  # type: ignore[no-any-return] # callable(Any) is Any


def metric_name(metric: Metric) -> str:
    """Return what reports call a metric; of several, the names."""
    if isinstance(metric, Mapping):
        return ", ".join(metric)
    return getattr(metric, "__name__", type(metric).__name__)


def _of_mapping(value: Mapping[str, Any], name: str) -> Judgement:
    numbers = {key: one for key, one in value.items() if key != FEEDBACK}
    for key, one in numbers.items():
        if not isinstance(one, Real):
            raise _no_number(one, f"{name}, under {key!r},")
    columns = {key: _number(one, name) for key, one in numbers.items()}
    if not columns:
        raise _no_number(value, name)
    score = columns.get("score", next(iter(columns.values())))
    words = _words(value.get(FEEDBACK), name)
    return Judgement(score=score, columns=columns, feedback=words)


def _flat(judged: Mapping[str, Judgement]) -> Iterator[tuple[str, float]]:
    """Yield each metric's score by its name, and what else it counted below that."""
    for name, judgement in judged.items():
        yield name, judgement.score
        for column, number in judgement.columns.items():
            yield f"{name}.{column}", number


def _number(value: Any, name: str) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(
            f"the metric {name} gave {number}; expected a finite number. Decide what "
            "such an answer is worth, and return that."
        )
    return number


def _no_number(value: Any, name: str) -> TypeError:
    return TypeError(
        f"the metric {name} gave {value!r}; expected a number, a bool, a mapping of "
        "them or a Prediction with a score. Does it end without a return?"
    )


def _words(told: Any, name: str) -> str | None:
    if told is None or isinstance(told, str):
        return told
    raise TypeError(
        f"the metric {name} gave a feedback of type {type(told).__name__}; expected a "
        "text. Return str(...) of it."
    )


def _called(metric: Callable[..., Any], *arguments: Any) -> Any:
    value = metric(*arguments)
    return waited_for(value) if isinstance(value, Awaitable) else value


def waited_for(awaitable: Awaitable[T]) -> T:
    """Wait for an awaitable's value, whether or not a loop runs in this thread."""

    async def wait() -> T:
        return await awaitable

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(wait())
    # In a notebook: a loop runs in this thread, and another needs a thread of its own.
    with ThreadPoolExecutor(max_workers=1) as threads:
        run = contextvars.copy_context().run
        return threads.submit(run, asyncio.run, wait()).result()
