"""OpenAI's chat completions, as OpenAI and all that copy it write them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dspex.testing._dialect import (
    Completion,
    Event,
    Question,
    arguments_of,
    call_id,
    chat_of,
    number_in,
    part_of,
    pieces,
    sse,
    words,
)
from dspex.testing._dice import throw
from dspex.testing.answers import FullAnswer
from dspex.testing.faults import WRONG_KEY, Status
from dspex.testing.rate_limit import Verdict

DONE = b"data: [DONE]\n\n"


class OpenAI:
    """`/v1/chat/completions`, whole and streamed."""

    wrong_key = WRONG_KEY

    def key(self, headers: Mapping[str, str]) -> str | None:
        """Read the bearer key, or Azure's own header."""
        given = headers.get("authorization", "")
        bearer = given.removeprefix("Bearer ") if given.startswith("Bearer ") else None
        return bearer or headers.get("api-key")

    def question(self, number: int, path: str, body: Mapping[str, Any]) -> Question:  # noqa: ARG002 - one signature for all dialects
        """Read a request."""
        options = part_of(body, "stream_options")
        longest = number_in(body, "max_tokens")
        return Question(
            number=number,
            model=str(body.get("model", "fake")),
            messages=chat_of(body, "messages"),
            count=number_in(body, "n", 1) or 1,
            max_tokens=number_in(body, "max_completion_tokens", longest),
            is_streamed=body.get("stream") is True,
            with_usage=options.get("include_usage") is True,
            logprobs=number_in(body, "top_logprobs") if body.get("logprobs") else None,
        )

    def whole(self, completion: Completion) -> Mapping[str, Any]:
        """Write an answer in one piece."""
        return {
            **_frame(completion, "chat.completion"),
            "choices": [
                _choice(completion, index, choice)
                for index, choice in enumerate(completion.choices)
            ],
            "usage": _usage(completion),
        }

    def events(self, completion: Completion) -> Iterator[Event]:
        """Write an answer in pieces; `[DONE]` is the last."""
        with_usage = completion.question.with_usage
        frame = _frame(completion, "chat.completion.chunk")
        silent = {"usage": None} if with_usage else {}
        for index, choice in enumerate(completion.choices):
            for delta, tokens in _deltas(completion, choice):
                part: dict[str, Any] = {"index": index, "delta": delta}
                if completion.question.logprobs is not None and "content" in delta:
                    part["logprobs"] = _logprobs(completion, delta["content"])
                part["finish_reason"] = None
                yield Event(sse({**frame, "choices": [part], **silent}), tokens)
            end = {"index": index, "delta": {}, "finish_reason": choice.ended_by}
            yield Event(sse({**frame, "choices": [end], **silent}))
        if with_usage:
            usage = {"choices": [], "usage": _usage(completion)}
            yield Event(sse({**frame, **usage}))
        yield Event(DONE)

    def refusal(self, fault: Status) -> Mapping[str, Any]:
        """Write an error."""
        error = {"message": fault.message, "type": fault.kind, "code": fault.code}
        return {"error": error}

    def broken(self, fault: Status) -> bytes:
        """Write an error that comes inside a stream."""
        return sse(self.refusal(fault))

    def limits(self, verdict: Verdict, wall_clock: float) -> Mapping[str, str]:  # noqa: ARG002 - one signature for all dialects
        """Write what is left of the limits; OpenAI says resets as Go's durations."""
        headers = {}
        kinds = (("requests", verdict.requests), ("tokens", verdict.tokens))
        for kind, allowed in kinds:
            if allowed is not None:
                headers[f"x-ratelimit-limit-{kind}"] = str(allowed.limit)
                headers[f"x-ratelimit-remaining-{kind}"] = str(allowed.remaining)
                headers[f"x-ratelimit-reset-{kind}"] = go_duration(allowed.full_in)
        return headers

    def models(self, names: Iterable[str]) -> Mapping[str, Any]:
        """Write the list of models."""
        data = [{"id": name, "object": "model"} for name in names]
        return {"object": "list", "data": data}


def go_duration(seconds: float) -> str:
    """Write a time as Go does, rounded up to whole milliseconds.

    Example:
        >>> [go_duration(seconds) for seconds in (0.0, 0.0119, 1.5, 360.0, 3723.25)]
        ['0s', '12ms', '1.5s', '6m0s', '1h2m3.25s']
    """
    milliseconds = math.ceil(round(seconds * 1000, 6))
    if 0 < milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def _frame(completion: Completion, kind: str) -> dict[str, Any]:
    question = completion.question
    return {
        "id": f"chatcmpl-{question.number}",
        "object": kind,
        "model": question.model,
    }


def _choice(completion: Completion, index: int, choice: FullAnswer) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": choice.text}
    if choice.reasoning:
        message["reasoning_content"] = choice.reasoning
    if choice.tool_calls:
        message["content"] = choice.text or None
        message["tool_calls"] = [
            _tool_call(completion, choice, at) for at in range(len(choice.tool_calls))
        ]
    written = {"index": index, "message": message, "finish_reason": choice.ended_by}
    if completion.question.logprobs is not None:
        written["logprobs"] = _logprobs(completion, choice.text)
    return written


def _tool_call(completion: Completion, choice: FullAnswer, at: int) -> dict[str, Any]:
    call = choice.tool_calls[at]
    function = {"name": call.name, "arguments": arguments_of(call)}
    identity = {"id": call_id(completion, call, at), "type": "function"}
    return {**identity, "function": function}


def _deltas(
    completion: Completion, choice: FullAnswer
) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield what each chunk adds, and how many tokens that is."""
    yield {"role": "assistant", "content": ""}, 0
    for piece in pieces(choice.reasoning):
        yield {"reasoning_content": piece}, words([piece])
    for piece in pieces(choice.text):
        yield {"content": piece}, words([piece])
    for at, call in enumerate(choice.tool_calls):
        start = _tool_call(completion, choice, at)
        start["function"]["arguments"] = ""
        yield {"tool_calls": [{"index": at, **start}]}, words([call.name])
        for piece in pieces(arguments_of(call)):
            more = {"index": at, "function": {"arguments": piece}}
            yield {"tool_calls": [more]}, words([piece])


def _logprobs(completion: Completion, text: str) -> dict[str, Any]:
    asked = completion.question.logprobs or 0
    return {"content": [_token(piece, asked) for piece in pieces(text)]}


def _token(piece: str, asked: int) -> dict[str, Any]:
    """Make up a token's log-probabilities: the same for the same token."""
    likely = 0.5 + throw(0, piece, 0) / 2
    # The alternatives share half of what is left, then half of that, and so on.
    others = ((1 - likely) / 2**rank for rank in range(1, asked))
    top = [_scored(piece, likely)] if asked else []
    top += [_scored(f"{piece}{rank}", left) for rank, left in enumerate(others, 1)]
    return {**_scored(piece, likely), "top_logprobs": top}


def _scored(token: str, probability: float) -> dict[str, Any]:
    scored = {"token": token, "logprob": math.log(probability)}
    return {**scored, "bytes": list(token.encode(errors="surrogatepass"))}


def _usage(completion: Completion) -> dict[str, Any]:
    usage = completion.usage
    written: dict[str, Any] = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
    if usage.reasoning_tokens:
        details = {"reasoning_tokens": usage.reasoning_tokens}
        written["completion_tokens_details"] = details
    return written
