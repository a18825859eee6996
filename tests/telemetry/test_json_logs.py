"""Logs of a daemon: one line of JSON each, without keys; and none of it by itself."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from dspex.telemetry import json_logs
from supervisors.log import logger

FORGED = "an event\nERROR forged\x1b[2J"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = io.StringIO()
    json_logs.configure(written, logging.INFO)
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("way", ["ours", "plain", "structlog"])
def test_an_event_is_one_line_that_steers_no_terminal(
    stream: io.StringIO, way: str
) -> None:
    makers: dict[str, Any] = {
        "ours": logger("dspex.test"),
        "plain": logging.getLogger("plain"),
        "structlog": structlog.get_logger("structlog"),
    }

    makers[way].warning(FORGED)

    [line] = lines(stream)
    assert line["level"] == "warning"
    assert "\x1b" not in stream.getvalue()
    assert "\n" not in line["event"]


@pytest.mark.parametrize(
    "renderer",
    [
        structlog.dev.ConsoleRenderer(colors=False),
        structlog.processors.LogfmtRenderer(),
        structlog.processors.KeyValueRenderer(),
        structlog.processors.JSONRenderer(),
    ],
    ids=lambda renderer: type(renderer).__name__,
)
def test_redacted_events_are_one_line_with_every_renderer(renderer: Any) -> None:
    event = json_logs.redacted(None, "warning", {"event": FORGED, "fact": FORGED})

    told = renderer(None, "warning", dict(event))

    assert "\n" not in told
    assert "\x1b" not in told


def test_keys_are_masked_wherever_they_stand(stream: io.StringIO) -> None:
    key = "sk-canary-0123456789"

    logger("dspex.test").warning(f"used {key}", api_key="canary", headers={"x": key})
    try:
        raise ValueError(f"refused {key}")
    except ValueError:
        logging.getLogger("plain").exception("an error")

    assert "canary" not in stream.getvalue()
    assert len(lines(stream)) == 2


@pytest.mark.parametrize(
    "key",
    [
        *("sk-canary1", "pk-canary1", "gsk_0123456789canary", "hf_0123456789canary"),
        *("xai-0123456789canary", "AIzaSy0123456789canary", "pplx-0123456789canary"),
        *("github_pat_0123456789canary", "Bearer canary1", "BEARER canary1"),
    ],
)
def test_a_key_of_any_provider_is_masked(key: str, stream: io.StringIO) -> None:
    logging.getLogger("plain").warning("used %s", key)
    logger("dspex.test").warning("used", reply={"lines": [f"({key})"]})

    assert "canary" not in stream.getvalue()
    assert len(lines(stream)) == 2


def test_what_cannot_be_shown_costs_no_line(stream: io.StringIO) -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("no words")

    logger("dspex.test").warning("a fact", it=Broken())

    [line] = lines(stream)
    assert line["it"] == "<Broken, whose repr raised RuntimeError>"


def test_an_error_is_told_with_its_traceback_in_one_line(stream: io.StringIO) -> None:
    try:
        raise ValueError("no such city")
    except ValueError:
        logging.getLogger("plain").exception("an error")

    [line] = lines(stream)
    assert line["level"] == "error"
    assert "ValueError: no such city" in line["exception"]
    assert "\n" not in line["exception"]


def test_fields_with_the_names_of_keys_are_masked_at_any_depth(
    stream: io.StringIO,
) -> None:
    logger("dspex.test").warning(
        "sent", headers=[{"Authorization": "canary", "X-Api-Key": "canary"}], n=[1, 2]
    )

    [line] = lines(stream)
    assert line["headers"] == [{"Authorization": "***", "X-Api-Key": "***"}]
    assert line["n"] == [1, 2]


def test_facts_are_fields_and_what_is_below_the_level_is_left_out(
    stream: io.StringIO,
) -> None:
    logger("dspex.test").debug("too small")
    logger("dspex.test").info("a fact", count=3)

    [line] = lines(stream)
    assert (line["event"], line["count"], line["logger"]) == ("a fact", 3, "dspex.test")


def test_the_library_touches_nobodys_configuration() -> None:
    code = """
import logging, structlog, dspex
from dspex import telemetry
telemetry.attach("none", ("dspex",), print)
with dspex.Runtime(dspex.Config(persist=False)) as runtime:
    runtime.tree()
from supervisors.log import logger
logger("dspex").warning("nobody hears")
assert not structlog.is_configured() and not logging.getLogger().handlers
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
