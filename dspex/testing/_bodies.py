"""The bodies a fake provider sends, in the shapes of OpenAI's API."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from dspex.testing._bill import Billed
from dspex.testing.answers import Answer
from dspex.testing.faults import Status


def completion(billed: Billed, answer: Answer) -> dict[str, Any]:
    """Put an answer into the shape of OpenAI's chat completions."""
    messages = billed.body.get("messages", [])
    answers = [answer(messages) for _ in range(billed.body.get("n") or 1)]
    whole = next((body for body in answers if isinstance(body, dict)), None)
    if whole is not None:
        return whole
    texts = [str(text) for text in answers]
    prompt = _count_words(str(turn.get("content", "")) for turn in messages)
    written = _count_words(texts)
    return {
        "id": f"chatcmpl-{billed.number}",
        "object": "chat.completion",
        "model": billed.body.get("model", "fake"),
        "choices": [_choice(index, text) for index, text in enumerate(texts)],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": written,
            "total_tokens": prompt + written,
        },
    }


def error_body(fault: Status) -> bytes:
    """Put a refusal into the shape of OpenAI's errors."""
    error = {"message": fault.message, "type": fault.kind, "code": fault.code}
    return dump({"error": error})


def gzip_bomb(size: int) -> bytes:
    """Pack `size` zero bytes without ever holding them all."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(64 * 1024)
    packed = [packer.compress(block) for _ in range(size // len(block))]
    return b"".join(
        [*packed, packer.compress(bytes(size % len(block))), packer.flush()]
    )


def _choice(index: int, text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {"index": index, "message": message, "finish_reason": "stop"}


def _count_words(texts: Iterable[str]) -> int:
    return sum(len(text.split()) for text in texts)


def parse(body: bytes) -> Mapping[str, Any]:
    """Read a request's body; empty when it is no JSON object."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def dump(body: object) -> bytes:
    """Write a body."""
    return json.dumps(body).encode()
