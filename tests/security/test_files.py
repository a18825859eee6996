"""What lies on disk belongs to its user, whatever the disk looked like (S4, S20)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

import dspex
from dspex.testing import FakeProvider
from tests.actors.lab import echo

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX systems")


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=echo) as provider:
        yield provider


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)

    yield

    os.umask(before)


def ask_below(home: Path, provider: FakeProvider) -> list[str]:
    """Ask in a runtime that keeps its files there."""
    with dspex.Runtime(dspex.Config(home=home)) as runtime:
        answer = dspex.LM("openai/m", api_base=provider.base_url)("hi")
        runtime.cache.flush()
        return answer


@pytest.mark.usefixtures("open_umask")
def test_files_are_their_users_own_whatever_the_umask(
    tmp_path: Path, provider: FakeProvider
) -> None:
    home = tmp_path / "a" / "home"

    assert ask_below(home, provider) == ["re: hi"]

    files = [path for path in home.rglob("*") if path.is_file()]
    assert files
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    folders = [home.parent, home, *(path for path in home.rglob("*") if path.is_dir())]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}


def test_a_link_in_the_place_of_the_cache_is_not_followed(
    tmp_path: Path, provider: FakeProvider
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "home" / "cache").mkdir(parents=True, mode=0o700)
    (tmp_path / "home" / "cache" / "answers-1.db").symlink_to(victim)

    assert ask_below(tmp_path / "home", provider) == ["re: hi"]

    assert victim.read_text() == "precious"


def evaluate_below(home: Path) -> dspex.EvaluationResult:
    """Evaluate one row, recorded there as the run `mine`."""
    rows = [dspex.Example(question="q").with_inputs("question")]
    scoring = dspex.Evaluate(devset=rows, metric=lambda *_: 1.0, run="mine")
    with dspex.Runtime(dspex.Config(home=home)):
        return scoring(lambda question: dspex.Prediction(answer=question))


@pytest.mark.usefixtures("open_umask")
def test_the_record_of_a_run_is_its_users_own_whatever_the_umask(
    tmp_path: Path,
) -> None:
    home = tmp_path / "a" / "home"

    assert evaluate_below(home).score == 100.0

    [record] = (home / "runs").glob("mine.sqlite")
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    for folder in (home.parent, home, record.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_link_in_the_place_of_a_record_is_not_followed(tmp_path: Path) -> None:
    evaluate_below(tmp_path / "first")
    [record] = (tmp_path / "first" / "runs").glob("mine.sqlite")
    victim = tmp_path / "victim"
    victim.write_text("precious")
    place = tmp_path / "home" / "runs" / record.name
    place.parent.mkdir(parents=True, mode=0o700)
    place.symlink_to(victim)

    with pytest.raises(dspex.RecordError):
        evaluate_below(tmp_path / "home")

    assert victim.read_text() == "precious"


def test_nothing_is_written_where_others_may_write(
    tmp_path: Path, provider: FakeProvider
) -> None:
    folder = tmp_path / "home" / "cache"
    folder.mkdir(parents=True)
    folder.chmod(0o777)

    assert ask_below(tmp_path / "home", provider) == ["re: hi"]

    assert list(folder.iterdir()) == []


def test_pickles_in_the_place_of_the_cache_are_never_opened(
    tmp_path: Path, provider: FakeProvider
) -> None:
    evil = tmp_path / "evil"
    folder = tmp_path / "home" / "cache"
    folder.mkdir(parents=True, mode=0o700)
    bytes_of_a_pickle = f"cos\nsystem\n(S'touch {evil}'\ntR.".encode() * 200
    (folder / "answers-1.db").write_bytes(bytes_of_a_pickle)

    assert ask_below(tmp_path / "home", provider) == ["re: hi"]

    assert not evil.exists()
    assert (folder / "damaged.db").read_bytes() == bytes_of_a_pickle
    assert ask_below(tmp_path / "home", provider) == ["re: hi"]
    assert len(provider.bill) == 1
