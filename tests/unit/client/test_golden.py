"""Every wire format by recorded requests, responses and streams; see `golden_cases`."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.client.golden_cases import (
    built,
    cases,
    expected_of,
    load,
    name_of,
    outcome,
    stream_body,
    stream_outcome,
)

REQUESTS = cases("requests")
RESPONSES = cases("responses")
STREAMS = cases("streams")


@pytest.mark.parametrize("path", REQUESTS, ids=name_of)
def test_request_is_built_as_recorded(path: Path) -> None:
    assert built(path) == load(path)["expected"]


@pytest.mark.parametrize("path", RESPONSES, ids=name_of)
def test_response_is_read_as_recorded(path: Path) -> None:
    assert outcome(path) == expected_of(path, "reply", "error")


@pytest.mark.parametrize("path", STREAMS, ids=name_of)
def test_stream_is_read_as_recorded(path: Path) -> None:
    expected = expected_of(path, "chunks", "reply", "error")

    assert stream_outcome(path, [stream_body(path)]) == expected


@pytest.mark.parametrize("path", STREAMS, ids=name_of)
@given(places=st.lists(st.integers(0, 10_000)))
def test_where_a_stream_is_cut_changes_nothing(path: Path, places: list[int]) -> None:
    body = stream_body(path)
    ends = sorted({place % (len(body) + 1) for place in places})
    pairs = zip([0, *ends], [*ends, len(body)], strict=True)

    found = stream_outcome(path, [body[start:end] for start, end in pairs])

    assert found == expected_of(path, "chunks", "reply", "error")


@pytest.mark.parametrize("path", STREAMS, ids=name_of)
def test_stream_may_come_byte_by_byte_and_with_other_line_ends(path: Path) -> None:
    body = stream_body(path).replace(b"\n", b"\r\n")

    found = stream_outcome(path, [body[at : at + 1] for at in range(len(body))])

    assert found == expected_of(path, "chunks", "reply", "error")
