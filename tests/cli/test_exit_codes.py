"""Each exit code of the table, from a command that ends so; `--json` on what reads."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import click
import pytest

from dspex.cli.console import Exit
from dspex.cli.main import main
from dspex.core.home import home
from dspex.evaluate.record.place import RunPlace
from dspex.evaluate.record.record import RunRecord
from tests.cli.conftest import Run
from tests.docs.pages import ROOT

CAPITAL: Final = ("country -> capital", "country=Peru")
METRIC: Final = ("--metric", "exact_match:capital")


class Room:
    """What the commands have to do with."""

    def __init__(self, run: Run, there: tuple[str, ...], capitals: Path) -> None:
        self._run, self.there, self.capitals = run, there, capitals

    def code(self, *words: object) -> int:
        return self._run(*words).exit_code

    def evaluate(self, *words: object) -> int:
        asked = ("evaluate", CAPITAL[0], self.capitals, *METRIC, *self.there)
        return self.code(*asked, *words)


@pytest.fixture
def room(
    run: Run,
    there: tuple[str, ...],
    capitals: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Room:
    monkeypatch.chdir(tmp_path)
    return Room(run, there, capitals)


def raising(error: BaseException) -> Callable[[Room], int]:
    """A command of dspex whose own code raises."""

    def ends(room: Room) -> int:
        def raises(*_arguments: Any) -> Any:
            raise error

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("dspex.cli.where.kept", raises)
            return room.code("where")

    return ends


def bad_data(room: Room) -> int:
    room.capitals.write_text("country,capital\nPeru\n", encoding="utf-8")
    return room.evaluate()


def full_disk(_room: Room) -> int:
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-m", "dspex", "where"]
        return subprocess.run(words, cwd=ROOT, stdout=full, stderr=-3).returncode


def busy(room: Room) -> int:
    room.evaluate("--run", "mine")
    record = RunRecord.open(RunPlace(run="mine", home=home()), owner=True)
    code = room.code("resume", "mine")
    record.close("interrupted", {})
    return code


ENDS: Final[dict[Exit, Callable[[Room], int]]] = {
    Exit.OK: lambda room: room.code("predict", *CAPITAL, *room.there),
    Exit.FAILED: lambda room: room.evaluate("--fail-under", "100"),
    Exit.USAGE: lambda room: room.code("predict"),
    Exit.BAD_DATA: bad_data,
    Exit.UNAVAILABLE: lambda room: room.code(
        *("predict", *CAPITAL, "--model", "m", "--api-base", "http://127.0.0.1:9/v1")
    ),
    Exit.INTERNAL: raising(ZeroDivisionError("a mistake")),
    Exit.RECORD: full_disk,
    Exit.BUSY: busy,
    Exit.CONFIGURATION: lambda room: room.code(
        "predict", *CAPITAL, "--model", "openai/gpt-4o-mini"
    ),
    Exit.INTERRUPTED: raising(KeyboardInterrupt()),
}


def test_every_exit_code_has_a_command_here() -> None:
    assert set(ENDS) == set(Exit)


@pytest.mark.parametrize("code", ENDS, ids=lambda code: code.name)
def test_a_command_ends_with_its_exit_code(code: Exit, room: Room) -> None:
    if code is Exit.RECORD and not Path("/dev/full").exists():
        pytest.skip("there is no disk here that is always full")

    assert ENDS[code](room) == code


WRITES: Final = frozenset(
    {"cache clear", "cache export", "completion", "export", "purge", "repl", "report"}
    | {"runs delete"}
)
"""Commands that give no result to read, but write or ask."""


def commands(
    group: click.Group, above: str = ""
) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{above}{name} ")
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield f"{above}{name}", command


def test_every_command_that_tells_something_tells_it_as_json() -> None:
    assert isinstance(main, click.Group)
    silent = {
        name
        for name, command in commands(main)
        if "--json" not in {option for one in command.params for option in one.opts}
    }

    assert silent == WRITES
