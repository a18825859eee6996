"""The unit and the container file of the examples say what the command understands.

Neither systemd nor a container engine runs here: what can be read is read.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from dspex.cli.serve import serve
from tests.serve.running import ROOT, RunningDaemon

UNIT = ROOT / "examples/dspex.service"
CONTAINER = ROOT / "examples/Containerfile"


def unit() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(delimiters="=", interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # the documented way
    parser.read_string(UNIT.read_text("utf-8"))
    return parser["Service"]


def instructions() -> dict[str, str]:
    """The instructions of the container file; the last of a name counts."""
    text = re.sub(r"^#.*\n", "", CONTAINER.read_text("utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    pairs = [line.partition(" ") for line in lines if line]
    return {name: rest.strip() for name, _, rest in pairs}


def commands() -> list[list[str]]:
    read = instructions()
    return [
        shlex.split(unit()["ExecStart"]),
        [*json.loads(read["ENTRYPOINT"]), *json.loads(read["CMD"])],
    ]


@pytest.mark.parametrize("words", commands(), ids=["unit", "container"])
def test_the_command_line_is_one_that_the_command_takes(words: list[str]) -> None:
    program, name, *options = words
    folder = options.index("--app-dir")
    # The folder is that of another machine.
    del options[folder : folder + 2]

    with serve.make_context("serve", options) as context:
        read = context.params

    assert program.rpartition("/")[2] == "dspex"
    assert name == "serve"
    assert read["programs"] == ("my_code:program",)
    assert read["port"] == 8000


def test_the_unit_is_told_and_watched_and_waits_longer_than_a_drain() -> None:
    read = unit()
    words = shlex.split(read["ExecStart"])
    drain = float(words[words.index("--drain-within") + 1])

    assert read["Type"] == "notify-reload"
    assert float(read["WatchdogSec"]) > 0
    assert float(read["TimeoutStopSec"]) > drain
    assert read["Restart"] == "on-failure"


def test_the_container_is_not_run_by_root_and_its_health_is_asked_for() -> None:
    read = instructions()
    asked = json.loads(read["HEALTHCHECK"].partition("CMD ")[2])

    assert read["USER"] not in {"", "root", "0"}
    assert asked[:2] == ["python", "-c"]
    assert "/healthz" in asked[2]


def test_the_folder_of_the_volume_is_made_for_its_user() -> None:
    read = instructions()

    assert f"--owner=dspex --mode=0700 {read['VOLUME']}" in read["RUN"]
    assert f"DSPEX_HOME={read['VOLUME']} " in read["ENV"]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM is no signal there")
def test_health_is_asked_of_the_daemon_and_not_of_a_proxy(tmp_path: Path) -> None:
    (tmp_path / "my_code.py").write_text("def program(): ...\n", encoding="utf-8")
    code = json.loads(instructions()["HEALTHCHECK"].partition("CMD ")[2])[2]
    words = ["my_code:program", "--model", "openai/m"]

    def is_well() -> bool:
        asked = code.replace("8000", daemon.url.rpartition(":")[2])
        proxied = os.environ | {"http_proxy": "http://127.0.0.1:1", "no_proxy": ""}
        done = subprocess.run(
            [sys.executable, "-c", asked], env=proxied, capture_output=True, check=False
        )
        return done.returncode == 0

    with RunningDaemon(words, home=tmp_path) as daemon:
        assert is_well()
        daemon.ends()
        assert not is_well()


def test_an_option_that_is_none_would_be_seen() -> None:
    with pytest.raises(click.NoSuchOption):
        serve.make_context("serve", ["my_code:program", "--drain-in", "3"])
