"""Golden files of wire formats: one JSON file is one case.

`requests/` hold a request in OpenAI's words and what goes out; `responses/` hold what
comes back and the reply or error it is; `streams/` hold the lines or the events of a
streamed answer, its chunks, and the reply or error. A reply or chunk is written as the
fields that differ from an empty one.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from dspex.client.http_messages import HttpResponse
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.format import Sender
from dspex.client.providers.formats import FORMATS
from dspex.client.secrets import Secret
from dspex.core import errors
from dspex.core.chat import messages_of
from dspex.core.lm import Reply, Request

GOLDEN = Path(__file__).parent / "golden"
KEY = Secret("sk-golden-secret-key")
WALL_CLOCK = 1_700_000_000.0
"""2023-11-14 22:13:20 UTC."""

ENDPOINTS = {
    "anthropic_messages": Endpoint(
        provider="anthropic",
        base_url="https://api.anthropic.com/v1",
        model="claude-haiku-4-5",
        format="anthropic_messages",
    ),
    "gemini": Endpoint(
        provider="gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta",
        model="gemini-2.5-flash",
        format="gemini",
    ),
    **{
        name: Endpoint(
            provider="openai", base_url="http://localhost/v1", model="m", format=name
        )
        for name in ("openai_chat", "azure_chat", "openai_embeddings")
    },
}
"""Whom each format is spoken to, unless a file says otherwise."""


def cases(kind: str, *formats: str) -> list[Path]:
    """The files of one kind ("requests", "responses", "streams"); of all formats."""
    names = formats or ("*",)
    found = [
        path for name in names for path in sorted(GOLDEN.glob(f"{name}/{kind}/*.json"))
    ]
    assert found, f"no golden {kind} of {names}"
    return found


def name_of(path: Path) -> str:
    """How a test of a file is named."""
    return f"{format_in(path)}/{path.stem}"


def format_in(path: Path) -> str:
    """The format a file is about."""
    return path.parent.parent.name


def load(path: Path) -> Any:
    """The case, read anew for each test."""
    return json.loads(path.read_text(encoding="utf-8"))


def bodies_in(format_name: str) -> list[Any]:
    """The JSON bodies of a format's golden responses."""
    return [
        case["json"]
        for case in map(load, cases("responses", format_name))
        if "json" in case
    ]


def sender_to(endpoint: Endpoint) -> Sender:
    """Who asks there, in all cases."""
    return Sender(
        endpoint=replace(endpoint, api_key=KEY),
        label=f"{endpoint.provider}/{endpoint.model}",
        wall_clock=lambda: WALL_CLOCK,
    )


def expected_of(path: Path, *names: str) -> dict[str, Any]:
    """What a file promises, under those of the names it has."""
    case = load(path)
    return {name: case[name] for name in names if name in case}


# What the code makes of a file.


def built(path: Path) -> dict[str, Any]:
    """What the format makes of the request: what the file has an expectation of."""
    case = load(path)
    endpoint = _endpoint(path, case.get("endpoint"))
    messages = messages_of(case["request"].pop("messages"))
    http = FORMATS[endpoint.format].build(
        Request(messages=messages, **case["request"]),
        endpoint,
        request_id="attempt-1",
        idempotency_key="call-1",
        stream=case.get("stream", False),
    )
    if endpoint.api_key is not None:
        key = endpoint.api_key.reveal()
        assert key not in http.url
        assert key.encode() not in http.body
    sent = {
        "method": http.method,
        "url": http.url,
        "headers": dict(http.headers),
        "body": json.loads(http.body),
    }
    return {name: sent[name] for name in case["expected"]}


def outcome(path: Path) -> dict[str, Any]:
    """What the format makes of the response."""
    case, name = load(path), format_in(path)
    text = case["text"] if "text" in case else json.dumps(case["json"])
    response = HttpResponse(
        status=case["status"], headers=case["headers"], body=text.encode()
    )
    sender = sender_to(ENDPOINTS[name])
    return _end(case, sender, lambda: FORMATS[name].read(response, sender))


def stream_outcome(path: Path, body: Iterable[bytes]) -> dict[str, Any]:
    """What the format makes of a stream that comes in these pieces."""
    case, name = load(path), format_in(path)
    sender = sender_to(ENDPOINTS[name])
    reader = FORMATS[name].reader(case["headers"], sender)
    chunks: list[dict[str, Any]] = []

    def reply() -> Reply:
        for piece in body:
            chunks.extend(_facts(chunk) for chunk in reader.feed(piece))
        return reader.finish()

    end = _end(case, sender, reply)
    return {"chunks": chunks, **end}


def stream_body(path: Path) -> bytes:
    """The bytes of a streamed answer, as a server sends them."""
    case = load(path)
    if "lines" in case:
        return "".join(f"{line}\n" for line in case["lines"]).encode()
    events = [
        (f"event: {event['event']}\n" if "event" in event else "")
        + f"data: {json.dumps(event['data'], ensure_ascii=False)}\n\n"
        for event in case["events"]
    ]
    return "".join(events).encode()


def _endpoint(path: Path, told: dict[str, Any] | None) -> Endpoint:
    if told is None:
        return replace(ENDPOINTS[format_in(path)], api_key=KEY)
    key = told.pop("api_key")
    return Endpoint(**told, api_key=None if key is None else Secret(key))


def _end(
    case: dict[str, Any], sender: Sender, reply: Callable[[], Reply]
) -> dict[str, Any]:
    try:
        return {"reply": _facts(reply())}
    except errors.LMError as error:
        return {"error": _error_facts(error, case.get("error", {}), sender)}


def _error_facts(
    error: errors.LMError, expected: dict[str, Any], sender: Sender
) -> dict[str, Any]:
    """An error as a file holds it: its class, words of its text, and facts."""
    assert error.model == sender.label
    assert KEY.reveal() not in str(error)
    assert str(error).isprintable()
    says = [word for word in expected.get("says", []) if word in str(error)]
    facts = {
        name: getattr(error, name) for name in expected if name not in {"class", "says"}
    }
    return {"class": type(error).__name__, "says": says, **facts}


def _facts(value: Any) -> dict[str, Any]:
    """The fields of a reply or chunk that differ from an empty one."""
    empty = type(value)()
    given = {
        field.name
        for field in fields(value)
        if getattr(value, field.name) != getattr(empty, field.name)
    }
    facts = {name: item for name, item in asdict(value).items() if name in given}
    if facts.get("usage"):
        facts["usage"] = {name: n for name, n in facts["usage"].items() if n}
    plain: dict[str, Any] = json.loads(json.dumps(facts))
    return plain
