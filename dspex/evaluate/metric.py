"""What a metric is, and what it says of one answer, as numbers.

A metric is a function or an async function of example and prediction, or a mapping of
several of them by name. It gives a number, a bool, a mapping of numbers, or a
`Prediction` with a `score`. Here all of that becomes one `Judgement`.

Of several metrics the first is the score, and its failure is the example's. Another
that fails loses its own column. But when it had no answer (its model was down, time was
up), the example stays open and is run again: nobody knows what the metric would say.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from numbers import Real
from types import MappingProxyType
from typing import Any, Final, TypeVar

from dspex.core.errors import ConfigurationError, MetricRangeError
from dspex.core.example import Example
from dspex.core.foreign import refuse_dspy
from dspex.evaluate.results.outcome import kind_of
from dspex.evaluate.working.awaiting import awaited

T = TypeVar("T")

# Not `Mapping[str, Callable]`: mypy takes a dict of unlike metrics for one of objects.
Metric = Callable[..., Any] | Mapping[str, Any]
"""`metric(example, prediction)`, or with a third argument `trace`; or several by name,
the first of which is the score."""

FEEDBACK: Final = "feedback"
"""The name under which a metric says in words what was wrong."""
MetricRange = tuple[float, float]
"""The lowest and the highest score of a metric; an infinite end is no bound."""

_NO_NUMBERS: Final[Mapping[str, float | None]] = MappingProxyType({})
_NO_ERRORS: Final[Mapping[str, Exception]] = MappingProxyType({})


# Not frozen, which makes the making of one cost three times as much.
@dataclass(slots=True, kw_only=True)
class Judgement:
    """What a metric said of one answer."""

    score: float
    """The number that counts."""
    columns: Mapping[str, float | None] = field(default_factory=lambda: _NO_NUMBERS)
    """All numbers by name, the score among them; empty when there is but one. `None`
    where that metric failed."""
    feedback: str | None = None
    """What was wrong, in words."""
    lost: Mapping[str, Exception] = field(default_factory=lambda: _NO_ERRORS)
    """Why a column has no number, by its name."""


def judge(
    metric: Metric,
    example: Example,
    prediction: Any,
    trace: Any = None,
    *,
    metric_range: MetricRange | None = None,
) -> Judgement:
    """Ask a metric, and take what it gives as numbers.

    An async metric is run to its end on an event loop of its own.

    Args:
        metric: One metric, or several by name.
        example: What was wanted.
        prediction: What the program gave.
        trace: The program's steps, to decide whether they may become a demonstration;
            `None` to measure, and the metric is then called without it.
        metric_range: Where the score has to lie; anywhere by default. The other columns
            may have ranges of their own.

    Raises:
        TypeError: It gives no number; a metric without `return` gives `None`.
        ValueError: A number is not finite.
        MetricRangeError: The score lies outside `metric_range`.
    """
    arguments = (example, prediction) if trace is None else (example, prediction, trace)
    if not isinstance(metric, Mapping):
        value = _called(metric, *arguments)
        name = metric_name(metric)
        return _within(metric_range, judgement_of(value, name), name)
    several = _Several(metric)
    for name, one in metric.items():
        try:
            several.judged[name] = judgement_of(_called(one, *arguments), name)
        except Exception as error:  # noqa: BLE001 - raised again unless a column's
            several.lose(name, error)
    return _within(metric_range, several.together(), next(iter(metric)))


async def ajudge(
    metric: Metric,
    example: Example,
    prediction: Any,
    *,
    metric_range: MetricRange | None = None,
) -> Judgement:
    """Ask a metric as `judge` does, without blocking the running loop.

    An async metric is awaited on that loop. A plain one runs in a thread, unless it is
    one of `dspex.metrics`, which only compute. Several are asked one after another.

    Raises:
        TypeError: It gives no number; a metric without `return` gives `None`.
        ValueError: A number is not finite.
        MetricRangeError: The score lies outside `metric_range`.
    """
    if not isinstance(metric, Mapping):
        name = metric_name(metric)
        value = await awaited(metric, example, prediction)
        return _within(metric_range, judgement_of(value, name), name)
    several = _Several(metric)
    for name, one in metric.items():
        try:
            value = await awaited(one, example, prediction)
            several.judged[name] = judgement_of(value, name)
        except Exception as error:  # noqa: BLE001 - raised again unless a column's
            several.lose(name, error)
    return _within(metric_range, several.together(), next(iter(metric)))


class _Several:
    """What several metrics said, the first of which is the score."""

    def __init__(self, metrics: Mapping[str, Any]) -> None:
        self._metrics = metrics
        self.judged: dict[str, Judgement] = {}
        self._lost: dict[str, Exception] = {}

    def lose(self, name: str, error: Exception) -> None:
        """Let a metric that failed lose its column, or the example with it."""
        if not self.judged or not kind_of(error, "metric").is_final:
            raise error
        self._lost[name] = error

    def together(self) -> Judgement:
        judged = self.judged
        first = next(iter(judged.values()))
        told = [
            f"{name}: {one.feedback}" for name, one in judged.items() if one.feedback
        ]
        return Judgement(
            score=first.score,
            columns=dict(_flat(self._metrics, judged)),
            feedback="\n".join(told) or None,
            lost=self._lost,
        )


def judgement_of(value: Any, name: str) -> Judgement:
    """Take what a metric gave as numbers.

    - A number or a bool is the score, and so is what becomes one by `float()`: a
      decimal, a scalar of NumPy. A text is none.
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
    if type(value) in _PLAIN_NUMBERS or isinstance(value, Real):
        return Judgement(score=_number(value, name))
    if isinstance(value, Mapping):
        return _of_mapping(value, name)
    refuse_dspy(value, f"what the metric {name} gave")
    score, told = getattr(value, "score", None), getattr(value, FEEDBACK, None)
    if score is None and _counts(value):
        return Judgement(score=_number(value, name))
    if not _counts(score):
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


def checked_range(metric_range: Any) -> MetricRange:
    """Refuse what is no range of scores.

    Raises:
        ConfigurationError: Then.

    Example:
        >>> checked_range([0, 5])
        (0.0, 5.0)
    """
    try:
        low, high = metric_range
        low, high = float(low), float(high)
    except (TypeError, ValueError):
        low = high = math.nan
    if not low < high:
        raise ConfigurationError(
            f"metric_range is {metric_range!r}; expected the lowest and the highest "
            "score of the metric, the lower first. Write metric_range=(0, 1)."
        )
    return low, high


def metric_names(metric: Metric) -> tuple[str, ...]:
    """The names of all metrics, the one that is the score first."""
    return tuple(metric) if isinstance(metric, Mapping) else (metric_name(metric),)


def metric_name(metric: Metric) -> str:
    """Return what reports call a metric; of several, the names."""
    if isinstance(metric, Mapping):
        return ", ".join(metric)
    return getattr(metric, "__name__", type(metric).__name__)


def _of_mapping(value: Mapping[str, Any], name: str) -> Judgement:
    numbers = {key: one for key, one in value.items() if key != FEEDBACK}
    for key, one in numbers.items():
        if not _counts(one):
            raise _no_number(one, f"{name}, under {key!r},")
    columns = {key: _number(one, name) for key, one in numbers.items()}
    if not columns:
        raise _no_number(value, name)
    score = columns.get("score", next(iter(columns.values())))
    words = _words(value.get(FEEDBACK), name)
    return Judgement(score=score, columns=columns, feedback=words)


def _flat(
    names: Iterable[str], judged: Mapping[str, Judgement]
) -> Iterator[tuple[str, float | None]]:
    """Yield each metric's score by its name, and what else it counted below that."""
    for name in names:
        judgement = judged.get(name)
        if judgement is None:
            yield name, None
            continue
        yield name, judgement.score
        for column, number in judgement.columns.items():
            yield f"{name}.{column}", number


def _within(
    metric_range: MetricRange | None, judgement: Judgement, name: str
) -> Judgement:
    """Refuse a judgement whose score lies outside the range."""
    if metric_range is None:
        return judgement
    low, high = metric_range
    score = judgement.score
    if low <= score <= high:
        return judgement
    wide = (_whole(min(low, score)), _whole(max(high, score)))
    raise MetricRangeError(
        f"the metric {name} gave {_whole(score)}, outside its range of {_whole(low)} "
        f"to {_whole(high)}. If its scores may be such, say from where to where: "
        f"Evaluate(metric_range={wide}); else mend the metric.",
        metric=name,
        score=score,
        metric_range=metric_range,
    )


def _whole(number: float) -> float:
    """Return an integer for a whole number, which reads better."""
    return int(number) if number.is_integer() else number


_PLAIN_NUMBERS: Final = frozenset({bool, int, float})
"""What nearly every metric gives; found quicker than what `Real` and its like are."""


def _counts(value: Any) -> bool:
    """Whether a value is a number, or becomes one: a decimal, a scalar of NumPy."""
    return isinstance(value, Real) or hasattr(type(value), "__float__")


def _number(value: Any, name: str) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    except Exception as error:
        # Such as an array of several, which has the method and refuses it.
        raise _no_number(value, name) from error
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
    if type(value) in _PLAIN_NUMBERS:
        return value
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
