"""Whatever a file holds: it is a recording, or the error names its line."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import dspex
from dspex.core.lm import Message, Reply, ToolCall, Usage
from dspex.testing import Recorded
from dspex.testing._tape import Head, Tape

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
heads = st.fixed_dictionaries(
    {"recording": st.just(1) | json_values},
    optional={
        "model": st.text(min_size=1) | json_values,
        "adapter": st.none() | json_values,
        "settings": st.just({}) | json_values,
        "supports": st.just([]) | json_values,
        "more": json_values,
    },
)
entries = st.fixed_dictionaries(
    {},
    optional={
        "request": st.just({}) | json_values,
        "reply": st.just({"texts": ["a"]}) | json_values,
    },
)
lines = st.binary(max_size=50) | (heads | entries | json_values).map(
    lambda value: json.dumps(value).encode()
)


@given(st.lists(lines, max_size=4).map(b"\n".join))
def test_any_file_is_a_recording_or_an_error_that_names_its_line(
    content: bytes,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording.jsonl"
        path.write_bytes(content)

        try:
            unused = Recorded(path).unused
        except dspex.DataError as error:
            told = str(error)
        except dspex.ConfigurationError as error:
            # The file is one; what it says of the model makes no sense.
            told = "line 1" + str(error)
        else:
            told = "line 0"
            assert unused <= content.count(b"\n")

    assert told.startswith("line ")


texts = st.text(max_size=20) | st.just("half a character: \ud800")
replies = st.builds(
    Reply,
    texts=st.lists(texts, min_size=1, max_size=3).map(tuple),
    usage=st.builds(Usage, prompt_tokens=st.integers(0, 9)),
    reasoning=st.lists(texts, max_size=2).map(tuple),
    finish_reasons=st.just(("stop",)),
    tool_calls=st.just(((ToolCall(id="1", name="f", arguments="{}"),),)) | st.just(()),
)
asked = st.tuples(
    st.lists(st.builds(Message, st.just("user"), texts), min_size=1, max_size=2),
    st.dictionaries(st.sampled_from(["seed", "stop", "n"]), st.integers() | texts),
)


@given(st.lists(st.tuples(asked, replies), min_size=1, max_size=6))
def test_what_is_recorded_is_replayed_in_order(calls: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording.jsonl"
        tape = Tape(path, Head(model="m"))
        for (messages, settings), reply in calls:
            tape.add(messages, settings, reply)

        again = Tape(path)
        replayed = [again.take(*request) for request, _ in calls]

    assert replayed == [reply for _, reply in calls]
    assert again.unused == 0
