"""One row of a result as an element that opens: the line, and all that is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element

from dspex.client.call import AttemptRecord
from dspex.core.elements import element
from dspex.core.errors import DataError
from dspex.core.example import Example
from dspex.core.history import Exchanged
from dspex.core.spoken import duration, money
from dspex.evaluate.html.findings import look_of
from dspex.evaluate.html.scale import brief
from dspex.evaluate.html.values import block, fields, line, table
from dspex.evaluate.results.cells import fields_of, text_of
from dspex.evaluate.results.outcome import Outcome
from dspex.evaluate.results.rows import ResultRow
from dspex.evaluate.working.traced_call import TracedCall

WORDS: Final = {"good": "right", "wrong": "below full"}
"""What the looks of scored rows are called; of others it is how they ended."""


def heading() -> Element:
    """Make the line above the rows."""
    names = ("example", "outcome", "score", "asked", "answered", "seconds")
    spans = (
        element("span", name, class_="end" if name in {"score", "seconds"} else None)
        for name in names
    )
    return element("div", spans, class_="heading", aria_hidden="true")


def row_element(
    row: ResultRow, *, best: float, rank: int, requests: Sequence[AttemptRecord] = ()
) -> Element:
    """Show a row.

    Args:
        row: What to show.
        best: The highest score there can be.
        rank: Its place among the rows, worst first.
        requests: The requests made for it.
    """
    look = look_of(row, best)
    seconds = 0.0 if row.outcome is None else row.outcome.latency
    return element(
        "details",
        _summary(row, look),
        element("div", _inside(row, requests), class_="inside"),
        class_=f"row {look}",
        id=f"example-{name_of(row).replace('/', '-')}",
        data_rank=rank,
        data_example=row.number,
        data_seconds=f"{seconds:.6f}",
    )


def name_of(row: ResultRow) -> str:
    """Return an example's number, with that of a trial that is not the first."""
    return f"{row.number}/{row.trial}" if row.trial else str(row.number)


def asked_and_expected(example: Example) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return an example's inputs and the rest; all are inputs where nobody said."""
    try:
        return fields_of(example.inputs()), fields_of(example.labels())
    except DataError:
        return fields_of(example), {}


def answered(row: ResultRow) -> str:
    """Say in one line what the program answered, or why it did not."""
    outcome = row.outcome
    if outcome is None:
        return ""
    if outcome.error is not None:
        return line(f"{outcome.error.type}: {outcome.error.message}")
    return line(text_of(answer_of(row.example, outcome.prediction)))


def answer_of(example: Example, prediction: Any) -> Any:
    """Return the field of a prediction to show where there is room for one.

    The first that the example has an expected value for, else the last: what a program
    says before it is reasoning.
    """
    gave = fields_of(prediction)
    _, expected = asked_and_expected(example)
    ordered = [name for name in expected if name in gave] or list(gave)[-1:]
    return gave[ordered[0]] if ordered else None


def said(outcome: Outcome) -> Element | None:
    """Show what the metric said in words, if it did."""
    if not outcome.feedback:
        return None
    title = element("h3", "what the metric said")
    return element("section", title, block(outcome.feedback))


def _summary(row: ResultRow, look: str) -> Element:
    asked, _ = asked_and_expected(row.example)
    seconds = "" if row.outcome is None else duration(row.outcome.latency)
    return element(
        "summary",
        element("span", f"#{name_of(row)}"),
        element(
            "span", element("span", WORDS.get(look, row.kind), class_=f"badge {look}")
        ),
        element("span", "-" if row.score is None else brief(row.score), class_="end"),
        element(
            "span", line(text_of(next(iter(asked.values()), None))), class_="question"
        ),
        element("span", answered(row), class_="answer"),
        element("span", seconds, class_="end"),
    )


def _inside(row: ResultRow, requests: Sequence[AttemptRecord]) -> Iterator[Element]:
    asked, expected = asked_and_expected(row.example)
    outcome = row.outcome
    shown = [fields("asked", asked), fields("expected", expected)]
    if outcome is not None:
        shown.append(fields("answered", fields_of(outcome.prediction)))
        shown.append(fields("scores", dict(outcome.columns)))
        shown.append(said(outcome))
    yield element("div", shown, class_="pair")
    if outcome is None:
        return
    yield from _went_wrong(outcome)
    yield from (_call(number, call) for number, call in enumerate(outcome.trace, 1))
    yield from _steps(outcome.value)
    if requests:
        yield _requests(requests)
    yield element("p", _cost(outcome), class_="costs")


def _went_wrong(outcome: Outcome) -> Iterator[Element]:
    error = outcome.error
    if error is not None:
        yield element("h4", f"{error.type} in the {error.stage}")
        yield block(error.message, "error")
        if error.where.strip():
            where = element("summary", "where it was raised")
            yield element("details", where, block(error.where), class_="step")
    if outcome.evidence:
        yield element("h4", "How its workers died")
        yield block("\n".join(outcome.evidence), "error")


def _call(number: int, call: TracedCall) -> Element:
    """Show a call that was kept: its prompt, its answers, how long it took."""
    turns = [
        part
        for role, text in call.messages
        for part in (element("h3", role), block(text))
    ]
    answers = [
        part for text in call.answers for part in (element("h3", "answer"), block(text))
    ]
    took = "from the cache" if call.cached else duration(call.seconds)
    asker = f" by {call.asker}" if call.asker else ""
    title = f"call {number}: {call.model}{asker}, {took}"
    return _step(title, [*turns, *answers])


def _steps(value: Any) -> Iterator[Element]:
    """Show the calls a program made, where its outcome has them."""
    if not isinstance(value, list | tuple):
        return
    for number, step in enumerate(value, 1):
        match step:
            case Exchanged():
                turns = [
                    part
                    for turn in step.messages
                    for part in (element("h3", turn.role), block(turn.text))
                ]
                reply = (element("h3", "reply"), block("\n".join(step.reply.texts)))
                yield _step(f"call {number}: {step.model}", [*turns, *reply])
            case (_, dict() as given, Example() as gave):
                shown = [fields("given", given), fields("gave", fields_of(gave))]
                pair = element("div", shown, class_="pair")
                yield _step(f"step {number}: {type(step[0]).__name__}", [pair])


def _step(title: str, content: Iterable[Element]) -> Element:
    return element("details", element("summary", title), content, class_="step")


def _requests(requests: Sequence[AttemptRecord]) -> Element:
    lines = (
        (
            record.request_id,
            record.fate.value,
            record.error or "",
            f"{record.usage.total_tokens:,}",
        )
        for record in requests
    )
    heading = ("request", "fate", "error", "tokens")
    return _step(f"requests: {len(requests)}", [table(heading, lines, {3})])


def _cost(outcome: Outcome) -> str:
    told = [duration(outcome.latency)]
    if outcome.stamp.attempt > 1:
        told.append(f"attempt {outcome.stamp.attempt}")
    if outcome.first_score is not None:
        told.append(f"first attempt scored {brief(outcome.first_score)}")
    if outcome.calls:
        cached = f" ({outcome.cached} from the cache)" if outcome.cached else ""
        told.append(f"{outcome.calls} answers{cached}")
    if outcome.usage.total_tokens:
        told.append(f"{outcome.usage.total_tokens:,} tokens")
    if outcome.cost is not None:
        told.append(money(outcome.cost))
    return " · ".join(told)
