"""The log of a daemon: a line for each thing, whatever is in it."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
import warnings
from typing import Any

import pytest
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


def state() -> tuple[object, ...]:
    """What of this process a log of a daemon changes."""
    root = logging.getLogger()
    hooks = (warnings.showwarning, threading.excepthook, sys.unraisablehook)
    return (list(root.handlers), root.level, structlog.is_configured(), *hooks)


def test_logging_is_as_before_after_the_block() -> None:
    before = state()

    with logging_to_stderr(as_json=True, level=logging.DEBUG):
        assert state() != before

    assert state() == before


class Broken:
    """Cannot be thrown away in peace."""

    def __del__(self) -> None:
        raise ValueError("one\nand two")


def warn() -> None:
    # Pytest makes an error of a plain one.
    warnings.showwarning("one\nand two", UserWarning, "code.py", 7)


def end_a_thread(error: BaseException) -> None:
    def run() -> None:
        raise error

    thread = threading.Thread(target=run, name="mine")
    thread.start()
    thread.join()


def throw_away() -> None:
    Broken()


@pytest.mark.parametrize(
    ("happens", "fact", "value"),
    [
        (warn, "place", "code.py:7"),
        (lambda: end_a_thread(ValueError("one\nand two")), "thread_name", "mine"),
        (throw_away, "where", "Broken.__del__"),
    ],
    ids=["a warning", "the end of a thread", "an error nobody hears"],
)
def test_what_python_writes_by_itself_is_one_object_on_one_line(
    happens: Any, fact: str, value: str
) -> None:
    stream = io.StringIO()

    with logging_to_stderr(as_json=True, stream=stream):
        happens()

    # What other tests left behind may end here, too.
    all_told = map(json.loads, stream.getvalue().splitlines())
    [told] = [each for each in all_told if each.get(fact) == value]
    assert "one\\nand two" in told.get("exception", told["event"])


def test_a_thread_that_is_left_is_told_of_by_nobody() -> None:
    stream = io.StringIO()

    with logging_to_stderr(as_json=True, stream=stream):
        end_a_thread(SystemExit(1))

    assert "a thread" not in stream.getvalue()


@pytest.mark.parametrize(("level", "count"), [("WARNING", 0), ("DEBUG", 2)])
def test_the_level_says_what_is_told(level: str, count: int) -> None:
    stream = io.StringIO()

    with logging_to_stderr(as_json=True, stream=stream, level=level):
        logger("dspex").info("told")
        logging.getLogger("elsewhere").debug("told")

    assert len(stream.getvalue().splitlines()) == count


NO_FILE_LEFT = """
import logging, os, resource
from dspex.serve.logs import logging_to_stderr

_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, most))
with logging_to_stderr(as_json=True):
    try:
        while True:
            os.dup(0)
    except OSError:
        logging.getLogger("mine").exception("one\\nand two")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of files")
def test_a_process_that_can_open_no_file_any_more_can_say_so() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_FILE_LEFT],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )

    [line] = done.stderr.splitlines()
    told = json.loads(line)
    assert told["event"] == "one\\nand two"
    assert "Too many open files" in told["exception"]
