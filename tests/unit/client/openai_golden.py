"""Recorded requests and responses: one JSON file is one case."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from dspex.client.http_messages import HttpResponse
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.format import Chunk, Sender
from dspex.client.providers.formats import FORMATS
from dspex.client.secrets import Secret
from dspex.core import errors
from dspex.core.chat import messages_of
from dspex.core.lm import Reply, Request, Usage

GOLDEN = Path(__file__).parent / "golden"
KEY = Secret("sk-golden-secret-key")


def cases(kind: str, *formats: str) -> list[Path]:
    """The files of one kind ("requests", "responses", "streams")."""
    return [
        path for name in formats for path in sorted(GOLDEN.glob(f"{name}/{kind}/*"))
    ]


def name_of(path: Path) -> str:
    """How a test of a file is named."""
    return f"{path.parent.parent.name}/{path.stem}"


def load(path: Path) -> Any:
    """The case, read anew for each test."""
    return json.loads(path.read_text(encoding="utf-8"))


def built(path: Path) -> dict[str, Any]:
    """What the format of a file makes of the file's request."""
    case = load(path)
    key = case["endpoint"].pop("api_key")
    endpoint = Endpoint(**case["endpoint"], api_key=Secret(key) if key else None)
    messages = messages_of(case["request"].pop("messages"))
    http = FORMATS[endpoint.format].build(
        Request(messages=messages, **case["request"]),
        endpoint,
        request_id="attempt-1",
        idempotency_key="call-1",
        stream=case.get("stream", False),
    )
    return {
        "method": http.method,
        "url": http.url,
        "headers": dict(http.headers),
        "body": json.loads(http.body),
    }


def outcome(path: Path) -> dict[str, Any]:
    """What the format of a file makes of the file's response."""
    case = load(path)
    text = case["text"] if "text" in case else json.dumps(case["json"])
    response = HttpResponse(
        status=case["status"], headers=case["headers"], body=text.encode()
    )
    try:
        reply = FORMATS[_format(path)].read(response, sender(_format(path)))
    except errors.LMError as error:
        return {"error": as_golden_error(error, case.get("error", {}))}
    return {"reply": as_golden(reply)}


def stream_outcome(path: Path, body: list[bytes]) -> dict[str, Any]:
    """What the format of a file makes of a stream that comes in these pieces."""
    case = load(path)
    reader = FORMATS[_format(path)].reader(case["headers"], sender(_format(path)))
    chunks: list[Chunk] = []
    try:
        for piece in body:
            chunks += reader.feed(piece)
        end = {"reply": as_golden(reader.finish())}
    except errors.LMError as error:
        end = {"error": as_golden_error(error, case.get("error", {}))}
    return {"chunks": [_given(chunk, Chunk()) for chunk in chunks], **end}


def stream_body(path: Path) -> bytes:
    """The bytes of a recorded stream."""
    return "".join(f"{line}\n" for line in load(path)["lines"]).encode()


def expected_of(path: Path, *names: str) -> dict[str, Any]:
    """What a file promises, under those of the names it has."""
    case = load(path)
    return {name: case[name] for name in names if name in case}


def sender(name: str) -> Sender:
    """Who asks in all cases."""
    endpoint = Endpoint(
        provider="openai",
        base_url="http://localhost/v1",
        model="m",
        api_key=KEY,
        format=name,
    )
    return Sender(endpoint=endpoint, label="openai/m", wall_clock=lambda: 1000.0)


def as_golden(reply: Reply) -> dict[str, Any]:
    """A reply as a file holds it: texts and finish reasons, and what is not usual."""
    given = _given(reply, Reply())
    usage = {"usage": _given(reply.usage, Usage())} if reply.usage != Usage() else {}
    ends = {"texts": reply.texts, "finish_reasons": reply.finish_reasons}
    whole: dict[str, Any] = json.loads(json.dumps({**given, **usage, **ends}))
    return whole


def as_golden_error(error: errors.LMError, expected: dict[str, Any]) -> dict[str, Any]:
    """An error as a file holds it: its class, words of its text, and facts."""
    says = [word for word in expected.get("says", []) if word in str(error)]
    facts = {
        name: getattr(error, name) for name in expected if name not in {"class", "says"}
    }
    assert error.model == "openai/m"
    assert KEY.reveal() not in str(error)
    assert str(error).isprintable()
    return {"class": type(error).__name__, "says": says, **facts}


def _format(path: Path) -> str:
    return path.parent.parent.name


def _given(value: Any, usual: Any) -> dict[str, Any]:
    """The fields that are not as usual."""
    names = [field.name for field in fields(value)]
    different = [name for name in names if getattr(value, name) != getattr(usual, name)]
    whole = asdict(value)
    return {name: whole[name] for name in different}
