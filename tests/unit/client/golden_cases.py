"""Reading golden files of wire formats: one JSON file is one case.

`requests/` hold a request and what goes out; `responses/` hold what comes back and the
reply or error it is; `streams/` hold the events of a streamed answer, its chunks, and
the reply or error. A reply is written as the fields that differ from an empty one.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest

from dspex.client.http_messages import HttpResponse
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.format import Format, Sender
from dspex.client.secrets import Secret
from dspex.core import errors
from dspex.core.lm import (
    ImagePart,
    Message,
    Part,
    RawPart,
    Reply,
    Request,
    TextPart,
    ToolCall,
)

GOLDEN = Path(__file__).parent / "golden"
KEY = Secret("sk-golden-secret-key")
WALL_CLOCK = 1_700_000_000.0
"""2023-11-14 22:13:20 UTC."""


def golden(format_name: str, kind: str) -> Any:
    """The cases of a kind, as a test's parameters."""
    paths = sorted((GOLDEN / format_name / kind).glob("*.json"))
    assert paths, f"no golden files of {format_name}/{kind}"
    return pytest.mark.parametrize("path", paths, ids=[path.stem for path in paths])


def bodies_in(format_name: str) -> list[Any]:
    """The JSON bodies of a format's golden responses."""
    paths = sorted((GOLDEN / format_name / "responses").glob("*.json"))
    return [case["json"] for case in map(load, paths) if "json" in case]


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def sender_to(endpoint: Endpoint) -> Sender:
    return Sender(
        endpoint=replace(endpoint, api_key=KEY),
        label=f"{endpoint.provider}/{endpoint.model}",
        wall_clock=lambda: WALL_CLOCK,
    )


def request_in(case: dict[str, Any]) -> Request:
    return Request(
        model=case["model"],
        messages=tuple(_message(turn) for turn in case["messages"]),
        settings=case.get("settings", {}),
    )


def check_request(path: Path, wire: Format, endpoint: Endpoint) -> None:
    case = load(path)

    http = wire.build(
        request_in(case),
        replace(endpoint, api_key=KEY),
        request_id="attempt-1",
        idempotency_key="call-1",
        stream=case.get("stream", False),
    )

    assert http.method == "POST"
    assert http.url == case["expected"]["url"]
    assert json.loads(http.body) == case["expected"]["body"]
    assert KEY.reveal() not in http.url
    assert KEY.reveal().encode() not in http.body


def check_response(path: Path, wire: Format, sender: Sender) -> None:
    case = load(path)
    text = case["text"] if "text" in case else json.dumps(case["json"])
    response = HttpResponse(
        status=case["status"], headers=case["headers"], body=text.encode()
    )

    check_outcome(case, sender, lambda: wire.read(response, sender))


def check_stream(path: Path, wire: Format, sender: Sender) -> None:
    case = load(path)
    reader = wire.reader(case["headers"], sender)
    chunks: list[dict[str, Any]] = []

    def outcome() -> Reply:
        chunks.extend(_facts(chunk) for chunk in reader.feed(stream_bytes(case)))
        return reader.finish()

    check_outcome(case, sender, outcome)

    assert chunks == case["chunks"]


def stream_bytes(case: dict[str, Any]) -> bytes:
    """The bytes of a streamed answer, as a server sends them."""
    lines = [
        (f"event: {event['event']}\n" if "event" in event else "")
        + f"data: {json.dumps(event['data'], ensure_ascii=False)}\n\n"
        for event in case["events"]
    ]
    return "".join(lines).encode()


def check_outcome(
    case: dict[str, Any], sender: Sender, outcome: Callable[[], Reply]
) -> None:
    if "reply" in case:
        assert _facts(outcome()) == case["reply"]
        return
    expected = dict(case["error"])
    with pytest.raises(errors.LMError) as caught:
        outcome()

    error = caught.value
    assert type(error).__name__ == expected.pop("class")
    assert all(word in str(error) for word in expected.pop("says"))
    assert error.model == sender.label
    assert KEY.reveal() not in str(error)
    for fact, value in expected.items():
        assert getattr(error, fact) == value, fact


def _facts(value: Any) -> dict[str, Any]:
    """The fields of a reply or chunk that differ from an empty one."""
    empty = type(value)()
    given = {
        field.name
        for field in fields(value)
        if getattr(value, field.name) != getattr(empty, field.name)
    }
    facts = {name: item for name, item in asdict(value).items() if name in given}
    if "usage" in facts:
        facts["usage"] = {name: n for name, n in facts["usage"].items() if n}
    plain: dict[str, Any] = json.loads(json.dumps(facts))
    return plain


def _message(turn: dict[str, Any]) -> Message:
    content = turn["content"]
    return Message(
        turn["role"],
        content if isinstance(content, str) else tuple(_part(part) for part in content),
        tuple(ToolCall(**call) for call in turn.get("tool_calls", [])),
        turn.get("tool_call_id"),
    )


def _part(part: dict[str, Any]) -> Part:
    if "text" in part:
        return TextPart(part["text"])
    if "image" in part:
        return ImagePart(part["image"])
    return RawPart(part["raw"])
