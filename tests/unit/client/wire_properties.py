"""What the property tests of all wire formats share."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from hypothesis import strategies as st

from dspex.client.http_messages import HttpResponse
from dspex.client.providers.format import Chunk, Format, Sender, StreamReader
from dspex.core import errors
from dspex.core.lm import Reply

WORDS = (
    "message",
    "error",
    "message_start",
    "content_block_start",
    "content_block_delta",
    "message_delta",
    "message_stop",
    "text",
    "tool_use",
    "STOP",
    "SAFETY",
)


def json_bodies(*names: str) -> st.SearchStrategy[bytes]:
    """Bodies that are JSON, with the names and words a format looks for in it."""
    leaves = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.sampled_from(WORDS),
        st.text(max_size=5),
    )
    keys = st.sampled_from(names) | st.text(max_size=3)
    values = st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5)
        ),
        max_leaves=20,
    )
    objects = st.dictionaries(keys, values, max_size=6)
    return (objects | values).map(lambda value: json.dumps(value).encode())


def spoilt(body: Any, draw: Callable[[Any], Any]) -> Any:
    """A real body with one of its values, at any depth, replaced by something else."""
    if not isinstance(body, dict | list) or not body or draw(st.integers(0, 4)) == 0:
        return draw(
            st.one_of(
                st.none(),
                st.booleans(),
                st.integers(),
                st.sampled_from(WORDS),
                st.just([]),
                st.just({}),
                st.just([None]),
                st.just({"text": None}),
            )
        )
    if isinstance(body, list):
        place = draw(st.integers(0, len(body) - 1))
        return [*body[:place], spoilt(body[place], draw), *body[place + 1 :]]
    name = draw(st.sampled_from(sorted(body)))
    return {**body, name: spoilt(body[name], draw)}


def outcome_of(wire: Format, sender: Sender, body: bytes) -> None:
    """Read a body with each kind of status; anything but an LMError goes through."""
    for status in (200, 400, 429, 500):
        try:
            reply = wire.read(
                HttpResponse(status=status, headers={}, body=body), sender
            )
        except errors.LMError as error:
            assert str(error)  # noqa: PT017 - a failure to word it counts
        else:
            assert len(reply.texts) == len(reply.finish_reasons) > 0


def feed_all(reader: StreamReader, bodies: Iterable[bytes]) -> None:
    """Feed bodies as events; anything but an LMError goes through."""
    try:
        for body in bodies:
            reader.feed(b"data: " + body + b"\n\n")
        reader.finish()
    except errors.LMError as error:
        assert str(error)  # noqa: PT017 - a failure to word it counts


def stream_outcome(
    reader: StreamReader, pieces: Iterable[bytes]
) -> tuple[list[Chunk], Reply | str]:
    """The chunks of a stream and its reply, or the text of its error."""
    chunks: list[Chunk] = []
    try:
        for piece in pieces:
            chunks += reader.feed(piece)
        return chunks, reader.finish()
    except errors.LMError as error:
        return chunks, str(error)
