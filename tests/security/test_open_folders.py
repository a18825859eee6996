"""Where any user may write, dspex warns, refuses, or closes the folder (S20)."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import dspex
from dspex.core.home import make_private_folder
from dspex.serve.listening import UnixSocket
from dspex.testing import FakeProvider
from tests.actors.lab import echo
from tests.security.test_files import ask_below, evaluate_below

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX systems")


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=echo) as provider:
        yield provider


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short path, as sockets want it."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def told_of(folder: Path, caplog: pytest.LogCaptureFixture) -> int:
    """How often it was warned of this very folder."""
    return sum(
        record.levelno == logging.WARNING
        and "any user may write" in record.getMessage()
        and f"{str(folder)!r}" in record.getMessage()
        for record in caplog.records
    )


def opened(folder: Path, mode: int = 0o777) -> Path:
    """Make a folder in which any user may write."""
    folder.mkdir(parents=True)
    folder.chmod(mode)
    return folder


def ask_here(home: Path, provider: FakeProvider) -> None:
    assert ask_below(home, provider) == ["re: hi"]


def evaluate_here(home: Path, _provider: FakeProvider) -> None:
    assert evaluate_below(home).score == 100.0


def study_here(home: Path, _provider: FakeProvider) -> None:
    class Echo(dspex.Program):
        def __init__(self) -> None:
            super().__init__()
            self.ask = dspex.Predict("question -> answer")

        def forward(self, question: str) -> dspex.Prediction:
            return dspex.Prediction(answer=question)

    rows = [
        dspex.Example(question=str(n), answer=str(n)).with_inputs("question")
        for n in range(2)
    ]
    optimiser = dspex.BootstrapFewShotWithRandomSearch(
        metric=lambda row, got, _trace=None: row.answer == got.answer,
        num_candidate_programs=1,
    )
    with dspex.Runtime(dspex.Config(home=home)):
        optimiser.compile(Echo(), trainset=rows, valset=rows, run="tuning")
    assert (home / "runs" / "tuning.sqlite").exists()


WRITERS = [ask_here, evaluate_here, study_here]


@pytest.mark.parametrize("write", WRITERS, ids=lambda one: one.__name__)
def test_an_open_home_is_warned_of_once(
    write: Callable[[Path, FakeProvider], None],
    tmp_path: Path,
    provider: FakeProvider,
    caplog: pytest.LogCaptureFixture,
) -> None:
    home = opened(tmp_path / "home")

    write(home, provider)

    assert told_of(home, caplog) == 1
    # What is below it was made for one user all the same.
    folders = [path for path in home.rglob("*") if path.is_dir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}


def test_a_folder_further_up_is_warned_of_and_one_like_tmp_is_not(
    tmp_path: Path, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    above, shared = opened(tmp_path / "above"), opened(tmp_path / "shared", 0o1777)

    ask_here(above / "a" / "home", provider)
    ask_here(shared / "home", provider)

    assert told_of(above, caplog) == 1
    assert told_of(shared, caplog) == 0


def test_a_link_to_an_open_folder_is_seen_through(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    real = opened(tmp_path / "real")
    (tmp_path / "link").symlink_to(real)

    make_private_folder(tmp_path / "link" / "cache")

    assert told_of(real, caplog) == 1


@pytest.mark.parametrize("mode", [0o777, 0o770], ids=oct)
def test_no_record_is_written_where_others_may_write(mode: int, tmp_path: Path) -> None:
    runs = opened(tmp_path / "home" / "runs", mode)

    with pytest.raises(dspex.RecordError, match="expected a private"):
        evaluate_below(tmp_path / "home")

    assert list(runs.iterdir()) == []


def test_no_study_is_written_where_others_may_write(
    tmp_path: Path, provider: FakeProvider
) -> None:
    runs = opened(tmp_path / "home" / "runs")

    with pytest.raises(dspex.RecordError, match="expected a private"):
        study_here(tmp_path / "home", provider)

    assert list(runs.iterdir()) == []


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no such sockets")
def test_the_sockets_folder_is_closed_and_the_home_around_it_warned_of(
    short: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = opened(short / "home")
    control = opened(home / "control")

    with dspex.Runtime(dspex.Config(home=home)):
        [path] = control.iterdir()
        modes = [stat.S_IMODE(each.stat().st_mode) for each in (control, path)]

    assert modes == [0o700, 0o600]
    assert told_of(home.resolve(), caplog) == 1


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no such sockets")
def test_a_service_in_an_open_folder_is_warned_of(
    short: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = opened(short / "run")

    async def listen() -> None:
        place = UnixSocket(path=folder / "socket")
        (await place.open(asyncio.Protocol)).close()

    asyncio.run(listen())

    assert told_of(folder.resolve(), caplog) == 1


def test_a_link_in_the_place_of_the_sockets_folder_is_not_followed(
    short: Path,
) -> None:
    theirs = opened(short / "theirs")
    home = short / "home"
    home.mkdir(mode=0o700)
    (home / "control").symlink_to(theirs)

    with dspex.Runtime(dspex.Config(home=home)):
        assert list(theirs.iterdir()) == []


def test_weights_in_an_open_folder_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    models = opened(tmp_path / "home" / "models")

    make_private_folder(models)

    assert told_of(models, caplog) == 1


@pytest.mark.parametrize("whole", [False, True])
def test_a_program_saved_in_an_open_folder_is_warned_of(
    whole: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = opened(tmp_path / "shared")
    program = dspex.Predict("question -> answer")

    if whole:
        program.save(folder / "program", save_program=True)
    else:
        program.save(folder / "program.json")

    assert told_of(folder, caplog) == 1


def test_a_link_in_the_place_of_a_program_is_replaced_and_not_followed(
    tmp_path: Path,
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "program.json").symlink_to(victim)

    dspex.Predict("question -> answer").save(tmp_path / "program.json")

    assert victim.read_text() == "precious"
    assert not (tmp_path / "program.json").is_symlink()


def test_a_private_folder_is_not_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_private_folder(tmp_path / "home" / "cache")
    dspex.Predict("question -> answer").save(tmp_path / "program.json")

    assert "any user may write" not in caplog.text
