"""The log of a daemon: a line for each thing, whatever is in it."""

from __future__ import annotations

import io
import json
import logging

import structlog
from hypothesis import given
from hypothesis import strategies as st

from dspex.serve.logs import logging_to_stderr
from supervisors.log import logger


@given(st.text(), st.text())
def test_whatever_is_told_is_one_object_on_one_line(event: str, fact: str) -> None:
    stream = io.StringIO()

    with logging_to_stderr(as_json=True, stream=stream):
        logger("dspex").info("told", reason=fact)
        logging.getLogger("elsewhere").warning("%s", event)

    ours, theirs = map(json.loads, stream.getvalue().split("\n")[:-1])
    assert (ours["event"], ours["level"]) == ("told", "info")
    assert theirs["level"] == "warning"


def test_a_fact_is_told_as_it_is_and_a_key_is_not() -> None:
    stream = io.StringIO()

    with logging_to_stderr(as_json=True, stream=stream):
        logger("dspex").info("told", reason="it is down", api_key="sk-canary-1234")

    told = json.loads(stream.getvalue())
    assert told["reason"] == "it is down"
    assert "canary" not in stream.getvalue()


@given(st.text())
def test_words_for_people_are_one_line_without_escapes(fact: str) -> None:
    stream = io.StringIO()

    with logging_to_stderr(as_json=False, stream=stream):
        logger("dspex").info("told", reason=fact)

    (line,) = stream.getvalue().split("\n")[:-1]
    assert "info: told reason=" in line
    assert "\x1b" not in line
    assert "\r" not in line


def test_logging_is_as_before_after_the_block() -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level, structlog.is_configured())

    with logging_to_stderr(as_json=True):
        pass

    after = (list(root.handlers), root.level, structlog.is_configured())
    assert after == before
