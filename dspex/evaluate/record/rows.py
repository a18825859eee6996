"""Outcomes, examples and requests as rows of a record, and back.

The values of a row stand in the order of its table's columns in `schema`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from dspex.client.call import AttemptRecord, Fate
from dspex.core.example import Example
from dspex.core.lm import Usage
from dspex.evaluate.record.codec import decode, encode
from dspex.evaluate.results.outcome import ErrorNote, Outcome, OutcomeKind, Stamp
from dspex.evaluate.working.traced_call import TracedCall

Row = tuple[Any, ...]

_NOTE: Final = ("stage", "type", "message", "where")
_KINDS: Final = {kind.value: kind for kind in OutcomeKind}


def outcome_row(outcome: Outcome, number: int) -> Row:
    """Return the row of an outcome."""
    usage, kind = outcome.usage, outcome.kind.value
    body = _body(outcome)
    return (
        number,
        outcome.stamp.attempt,
        outcome.stamp.configuration,
        kind,
        outcome.is_settled,
        outcome.score,
        outcome.latency,
        *_tokens(usage),
        outcome.cost,
        outcome.calls,
        outcome.cached,
        body,
        _checksum(number, kind, outcome.score, body),
    )


def outcome_of(row: Sequence[Any], run: str, trials: int) -> Outcome:
    """Return the outcome of a row.

    Raises:
        ValueError: The row is damaged; the text says how.
    """
    number, attempt, configuration, kind, _, score, latency, *rest = row
    *tokens, cost, calls, cached, body, checksum = rest
    if checksum != _checksum(number, kind, score, body):
        message = f"the outcome of example {number // trials} is not as it was written"
        raise ValueError(message)
    told = decode(body)
    note = told.get("error")
    return Outcome(
        stamp=Stamp(
            run=run,
            example=number // trials,
            trial=number % trials,
            attempt=attempt,
            configuration=configuration,
        ),
        kind=_KINDS[kind],
        score=score,
        columns=told.get("columns", {}),
        lost={name: ErrorNote(**one) for name, one in told.get("lost", {}).items()},
        feedback=told.get("feedback"),
        prediction=told.get("prediction"),
        error=None if note is None else ErrorNote(**note),
        stage=told.get("stage"),
        latency=latency,
        usage=_usage(tokens),
        cost=cost,
        calls=calls,
        cached=cached,
        first_score=told.get("first_score"),
        evidence=tuple(told.get("evidence", ())),
        trace=tuple(map(TracedCall.from_plain, told.get("trace", ()))),
        answers=tuple(told.get("answers", ())),
        value=told.get("value"),
        may_run_again=told.get("may_run_again", True),
    )


def _body(outcome: Outcome) -> str:
    """What of an outcome no query asks for; what is empty is left out."""
    parts: list[str] = []
    if outcome.prediction is not None:
        parts.append(f'"prediction":{encode(outcome.prediction)}')
    if outcome.columns:
        parts.append(f'"columns":{encode(dict(outcome.columns))}')
    if outcome.feedback is not None:
        parts.append(f'"feedback":{encode(outcome.feedback)}')
    parts.extend(_failures(outcome))
    if outcome.first_score is not None:
        parts.append(f'"first_score":{encode(outcome.first_score)}')
    if outcome.trace:
        parts.append(f'"trace":{encode([call.plain() for call in outcome.trace])}')
    if outcome.answers:
        parts.append(f'"answers":{encode(list(outcome.answers))}')
    if outcome.value is not None:
        parts.append(f'"value":{encode(outcome.value)}')
    if not outcome.may_run_again:
        parts.append('"may_run_again":false')
    return f"{{{','.join(parts)}}}"


def _failures(outcome: Outcome) -> Iterator[str]:
    if outcome.error is not None:
        yield f'"error":{encode(_told(outcome.error))}'
    if outcome.lost:
        lost = {name: _told(one) for name, one in outcome.lost.items()}
        yield f'"lost":{encode(lost)}'
    if outcome.stage is not None:
        yield f'"stage":"{outcome.stage}"'
    if outcome.evidence:
        yield f'"evidence":{encode(list(outcome.evidence))}'


def _told(note: ErrorNote) -> dict[str, str]:
    return {name: getattr(note, name) for name in _NOTE}


def _checksum(number: int, kind: str, score: float | None, body: str) -> int:
    return zlib.crc32(f"{number} {kind} {score!r} {body}".encode())


def example_text(example: Example) -> str:
    """Return the text of an example for the file."""
    return encode(example)


def example_of(text: str) -> Example:
    """Return the example of such a text.

    Raises:
        ValueError: It is none.
    """
    example = decode(text)
    if not isinstance(example, Example):
        message = f"a {type(example).__name__} stands where an example should"
        raise ValueError(message)  # noqa: TRY004 - whoever reads knows one error
    return example


def request_row(record: AttemptRecord) -> Row:
    """Return the row of a request."""
    return (
        record.request_id,
        record.call_id,
        record.number,
        record.fate.value,
        record.error,
        record.sends,
        *_tokens(record.usage),
        record.cost,
        record.seconds,
        record.configuration,
        _tags(record.tags),
    )


def request_of(row: Sequence[Any]) -> AttemptRecord:
    """Return the request of a row.

    Raises:
        ValueError: The row is damaged.
    """
    request, call, ordinal, fate, error, sends, *rest = row
    *tokens, cost, seconds, configuration, tags = rest
    return AttemptRecord(
        request_id=request,
        call_id=call,
        number=ordinal,
        fate=Fate(fate),
        error=error,
        sends=sends,
        usage=_usage(tokens),
        cost=cost,
        seconds=seconds,
        configuration=configuration,
        tags=decode(tags),
    )


def _tags(tags: Mapping[str, Any]) -> str:
    return encode(dict(tags)) if tags else "{}"


def _tokens(usage: Usage) -> tuple[int, int, int, int, int]:
    return (
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.cached_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
    )


def _usage(tokens: Sequence[int]) -> Usage:
    sent, received, cached, written, reasoning = tokens
    return Usage(
        prompt_tokens=sent,
        completion_tokens=received,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
    )
