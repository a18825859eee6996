"""What is said through the socket: whole, bounded, and refused when it is none."""

from __future__ import annotations

import itertools
import json
import socket
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.control import answers, protocol
from dspex.control.errors import NoAnswerError, RefusedError
from dspex.control.lines import read_line
from dspex.control.listener import answer
from dspex.control.protocol import Request

VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@given(st.text(), st.dictionaries(st.text(max_size=5), VALUES, max_size=3))
def test_a_request_arrives_as_it_was_sent(verb: str, arguments: dict[str, Any]) -> None:
    request = Request(verb=verb, arguments=arguments)

    line = protocol.request_line(request)

    assert line.count(b"\n") == 1
    assert protocol.read_request(line) == request


@given(VALUES)
def test_an_answer_arrives_as_it_was_sent(value: Any) -> None:
    assert protocol.read_answer(protocol.answer_line(value)) == value


@given(st.text(), st.text(), st.dictionaries(st.text(max_size=5), VALUES, max_size=3))
def test_a_refusal_arrives_with_its_facts(
    code: str, text: str, facts: dict[str, Any]
) -> None:
    line = json.dumps(
        {"dspex": 1, "error": {"code": code, "text": text, "facts": facts}}
    )

    with pytest.raises(RefusedError) as caught:
        protocol.read_answer(line.encode())

    assert (caught.value.code, caught.value.message) == (code, text)
    assert caught.value.facts.items() <= facts.items()


@given(st.binary())
def test_what_is_no_request_is_refused_and_no_answer_is_none(line: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        protocol.read_request(line)
    with pytest.raises(NoAnswerError):
        protocol.read_answer(line)

    assert refused.value.code == "bad_request"


def test_a_later_version_is_refused_by_name() -> None:
    with pytest.raises(RefusedError, match="version is 2"):
        protocol.read_request(b'{"dspex": 2, "verb": "ps"}\n')


def test_an_answer_that_is_too_long_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "LONGEST_ANSWER", 100)

    with pytest.raises(RefusedError) as caught:
        protocol.read_answer(protocol.answer_line("x" * 100))

    assert caught.value.code == "too_large"


def test_a_line_is_read_up_to_its_longest_and_no_further() -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(b"x" * 2_000)

        with pytest.raises(RefusedError, match="more than 1,000 bytes"):
            read_line(here, 1_000, 30)


def test_whoever_says_nothing_is_waited_for_no_longer_than_said() -> None:
    here, there = socket.socketpair()
    with here, there, pytest.raises(TimeoutError):
        read_line(here, 1_000, 0.001)


def test_a_line_in_pieces_has_no_more_time_than_one_in_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # One message for each piece, and a clock by which each takes 20 seconds.
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    clock = itertools.count(0.0, 20.0)
    monkeypatch.setattr("dspex.control.lines.time.monotonic", lambda: next(clock))
    with here, there:
        for piece in (b"pie", b"ces", b"\n"):
            there.send(piece)

        with pytest.raises(TimeoutError):
            read_line(here, 1_000, 30.0)


def asked(verb: str) -> Any:
    """Ask over a pair of sockets."""
    here, there = socket.socketpair()
    with here, there:
        thread = threading.Thread(target=answer, args=(there,))
        thread.start()
        here.sendall(protocol.request_line(Request(verb=verb)))
        line = read_line(here, protocol.LONGEST_ANSWER, 30)
        thread.join(30)
        return protocol.read_answer(line)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "_answers", {})


@pytest.mark.usefixtures("table")
def test_a_verb_nobody_answers_is_refused_with_those_that_are() -> None:
    answers.register("sum", lambda _arguments: 3)

    with pytest.raises(RefusedError) as caught:
        asked("difference")

    assert asked("sum") == 3
    assert (caught.value.code, caught.value.facts["known"]) == ("unknown_verb", ["sum"])


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("answering", "told"),
    [
        (lambda _arguments: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda _arguments: object(), "cannot be sent: TypeError"),
        (lambda _arguments: float("nan"), "cannot be sent: ValueError"),
    ],
)
def test_whoever_fails_to_answer_is_no_silence(
    answering: answers.Answer, told: str
) -> None:
    answers.register("broken", answering)

    with pytest.raises(RefusedError, match=told) as caught:
        asked("broken")

    assert caught.value.code == "failed"
