"""An outcome as a text for people: what was asked, what came of it, how it got there.

Pure. What a model or a row of data says cannot steer a terminal here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from dspex.core.errors import DataError
from dspex.core.example import Example
from dspex.core.safe_text import safe_text
from dspex.core.spoken import duration, money
from dspex.evaluate.results.causes import NOT_BEGUN, NOT_FINISHED
from dspex.evaluate.results.cells import fields_of, text_of
from dspex.evaluate.results.outcome import Outcome
from dspex.evaluate.working.traced_call import TracedCall

if TYPE_CHECKING:
    from dspex.evaluate.results.result import EvaluationResult


def explained(outcome: Outcome, example: Example | None = None) -> str:
    """Return all that is known of an outcome.

    Args:
        outcome: What to tell.
        example: What it is the outcome of, if it is at hand.
    """
    return safe_text("\n".join(_lines(outcome, example)))


def explained_row(result: EvaluationResult, number: int, trial: int) -> str:
    """Return all that is known of one trial of an example of a result.

    Raises:
        IndexError: There is no such example or trial.
    """
    if not (0 <= number < result.n and 0 <= trial < result.trials):
        several = "" if result.trials == 1 else f", each with {result.trials} trials"
        raise IndexError(
            f"there is no example {number}, trial {trial}; the result has "
            f"{result.n} examples{several}, counted from 0."
        )
    outcome, example = result.trials_of(number)[trial], result.examples[number]
    if outcome is not None:
        return explained(outcome, example)
    is_begun = (number, trial) in result.unfinished
    told = f"{_named(number, trial)}: {NOT_FINISHED if is_begun else NOT_BEGUN}"
    return safe_text("\n".join([told, *_example(example)]))


def _lines(outcome: Outcome, example: Example | None) -> Iterator[str]:
    yield _head(outcome)
    if example is not None:
        yield from _example(example)
    yield from _fields("answered", fields_of(outcome.prediction))
    yield from _fields("columns", dict(outcome.columns))
    if outcome.feedback:
        yield from _text("the metric said", outcome.feedback)
    if outcome.error is not None:
        error = outcome.error
        title = f"{error.type} in the {error.stage}"
        where = error.where.strip()
        # The place of what was given up does not say why it was.
        told = where if error.message in where else f"{where}\n{error.message}"
        yield from _text(title, told.strip())
    yield from _text("how its workers died", "\n".join(outcome.evidence))
    for number, call in enumerate(outcome.trace, 1):
        yield from _call(number, call)


def _head(outcome: Outcome) -> str:
    stamp = outcome.stamp
    ended = outcome.kind.value if outcome.score is None else f"score {outcome.score:g}"
    told = [ended, duration(outcome.latency)]
    if stamp.attempt > 1:
        told.append(f"attempt {stamp.attempt}")
    if outcome.first_score is not None:
        told.append(f"its first attempt scored {outcome.first_score:g}")
    if outcome.usage.total_tokens:
        told.append(f"{outcome.usage.total_tokens:,} tokens")
    if outcome.cost is not None:
        told.append(money(outcome.cost))
    return f"{_named(*stamp.key)}: {', '.join(told)}"


def _named(number: int, trial: int) -> str:
    return f"example {number}, trial {trial}" if trial else f"example {number}"


def _example(example: Example) -> Iterator[str]:
    try:
        given, expected = example.inputs(), example.labels()
    except DataError:
        # Nobody said which fields are the inputs.
        yield from _fields("given", fields_of(example))
    else:
        yield from _fields("given", fields_of(given))
        yield from _fields("expected", fields_of(expected))


def _fields(title: str, values: dict[str, Any]) -> Iterator[str]:
    told = (f"{name}: {text_of(value)}" for name, value in values.items())
    yield from _text(title, "\n".join(told))


def _call(number: int, call: TracedCall) -> Iterator[str]:
    told = ["from the cache" if call.cached else duration(call.seconds)]
    tokens = call.prompt_tokens + call.completion_tokens
    if tokens:
        told.append(f"{tokens:,} tokens")
    asker = f" by {call.asker}" if call.asker else ""
    yield ""
    yield f"call {number} of {call.model}{asker} ({', '.join(told)})"
    for role, text in call.messages:
        yield from _text(role, text)
    for text in call.answers:
        yield from _text("answer", text)


def _text(title: str, text: str) -> Iterator[str]:
    if text:
        yield f"  {title}"
        yield from _indented(text.splitlines())


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"    {line}" if line else "" for line in lines)
