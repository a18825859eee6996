"""Where sockets are: short enough, this user's alone, and gone with their process."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dspex.control import peer, place, protocol
from dspex.control.asking import ask, processes, sweep
from dspex.control.door import Door
from dspex.control.errors import NoAnswerError, RefusedError
from dspex.control.listener import AT_ONCE, Listener


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's own: with the name of a test in it, a socket's path may be too long.
    with tempfile.TemporaryDirectory() as short:
        made = Path(short) / "home" / place.FOLDER
        place.make_folder(made)
        yield made


def dead_socket(folder: Path, pid: int) -> Path:
    """Leave a socket behind, as a process does that is killed."""
    path = folder / f"{pid}-{place._machine()}-abcdef"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    return path


def test_folder_and_socket_are_this_users_alone(folder: Path) -> None:
    listener = Listener(folder / place.new_name())

    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, listener.path)]
    listener.close()

    assert modes == [0o700, 0o600]
    assert list(folder.iterdir()) == []


def test_a_folder_that_others_could_enter_is_closed_to_them(folder: Path) -> None:
    folder.chmod(0o777)

    place.make_folder(folder)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_link_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    link = tmp_path / "control"
    link.symlink_to(tmp_path / "theirs")

    with pytest.raises(OSError, match=r"directory|links"):
        place.make_folder(link)

    assert list(place.places(link)) == []


def test_another_users_folder_is_refused_and_not_looked_into(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead_socket(folder, 4711)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)

    with pytest.raises(PermissionError, match="another user"):
        place.make_folder(folder)

    assert list(place.places(folder)) == []


@pytest.mark.parametrize("length", [10, 300])
def test_a_socket_has_a_place_however_long_the_homes_path_is(
    tmp_path: Path, length: int
) -> None:
    home = tmp_path / ("h" * (length // 2)) / ("h" * (length // 2))
    door = Door()

    door.enter("test", home)

    assert door.path is not None
    assert door.path.parent in place.folders(home)
    assert len(bytes(door.path)) <= place.LONGEST_PATH
    short = door.path.parent
    door.leave("test")
    assert (home / "control").exists() is place.fits(home / "control")
    assert short == home / "control" or not short.exists()


def test_nothing_is_made_in_a_home_that_is_not_to_be_written(tmp_path: Path) -> None:
    door, home = Door(), tmp_path / "home"

    door.enter("test", home, in_home=False)

    assert door.path is not None
    door.leave("test")
    assert not home.exists()


def test_what_cannot_be_opened_is_told_once_and_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(place, "_SHORT", tmp_path / "file")
    door = Door()

    for _ in range(2):
        door.enter("test", tmp_path / "file")
        assert door.path is None
        door.leave("test")

    told = capsys.readouterr()
    assert (told.out + told.err).count("control_not_opened") == 1


def test_the_last_who_leaves_closes_it(tmp_path: Path) -> None:
    door = Door()
    door.enter("first", tmp_path)
    path = door.path
    door.enter("second", tmp_path)

    door.leave("first")
    door.leave("first")
    assert door.path == path
    door.leave("second")

    assert path is not None
    assert not path.exists()


def test_sockets_of_dead_processes_are_removed_by_whoever_looks(folder: Path) -> None:
    # Its number is this one's: only that nobody listens says that it is dead.
    dead = dead_socket(folder, os.getpid())
    elsewhere = folder / f"{os.getpid()}-000000-abcdef"
    os.link(dead, elsewhere)

    assert processes(folder.parent) == []

    assert not dead.exists()
    assert elsewhere.exists()


def test_whoever_opens_a_socket_removes_those_of_dead_processes(folder: Path) -> None:
    dead = dead_socket(folder, 2**22 + 1)
    living = Listener(folder / place.new_name())

    sweep(folder)

    assert not dead.exists()
    assert living.path.exists()
    living.close()


def test_whoever_does_not_speak_is_listed_as_such(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dspex.control.asking.GREET_WITHIN", 0.01)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(folder / place.new_name()))
        silent.listen()

        (found,) = processes(folder.parent)

    assert (found.pid, found.facts) == (os.getpid(), None)
    assert found.trouble is not None
    assert "did not answer" in found.trouble


def test_the_user_at_the_other_end_is_told_by_the_system(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, there = socket.socketpair()
    with here, there:
        assert peer.user_of(here) == os.geteuid()
        assert peer.is_same_user(here)

        monkeypatch.setattr(peer, "user_of", lambda _connection: os.geteuid() + 1)

        assert not peer.is_same_user(here)


def descriptors() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


def test_what_cannot_be_opened_leaves_nothing_open_and_nothing_behind(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = descriptors()
    with pytest.raises(FileNotFoundError):
        Listener(folder / "missing" / place.new_name())
    assert descriptors() == before

    def full() -> tuple[int, int]:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("dspex.control.listener.os.pipe", full)
    with pytest.raises(OSError, match="Too many"):
        Listener(folder / place.new_name())

    assert descriptors() == before
    assert list(folder.iterdir()) == []


def replying(folder: Path, words: bytes) -> tuple[Path, threading.Thread]:
    """Somebody who hangs up on whoever comes, after these words."""
    path = folder / place.new_name()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()

    def reply() -> None:
        with listening, listening.accept()[0] as connection:
            connection.sendall(words)

    thread = threading.Thread(target=reply)
    thread.start()
    return path, thread


def test_what_was_said_before_it_hung_up_is_heard(folder: Path) -> None:
    words = protocol.error_line(RefusedError("busy", "Ask again."))
    path, thread = replying(folder, words)

    # More than fits into the socket, so that it cannot be sent to its end.
    with pytest.raises(RefusedError) as caught:
        ask(path, "ps", {"much": "x" * 2**22})
    thread.join(30)

    assert (caught.value.code, caught.value.message) == ("busy", "Ask again.")


def test_whoever_hangs_up_without_a_word_speaks_no_other_language(folder: Path) -> None:
    path, thread = replying(folder, b"")

    with pytest.raises(NoAnswerError, match="did not answer"):
        ask(path, "ps")
    thread.join(30)


def test_one_more_than_are_answered_at_a_time_is_told_so(folder: Path) -> None:
    listener = Listener(folder / place.new_name())
    with contextlib.ExitStack() as stack:
        for _ in range(AT_ONCE):
            silent = stack.enter_context(socket.socket(socket.AF_UNIX))
            silent.connect(str(listener.path))

        with pytest.raises(RefusedError) as caught:
            ask(listener.path, "ps")
        stack.close()
        # Those that have gone are noticed one after another.
        while (code := refused(listener.path)) == "busy":
            continue
    listener.close()

    assert (caught.value.code, code) == ("busy", "unknown_verb")


def refused(path: Path) -> str:
    """Ask for what there is not, and return the word for it."""
    with pytest.raises(RefusedError) as caught:
        ask(path, "nothing")
    return caught.value.code


def test_one_who_is_too_busy_to_answer_is_not_swept_away(folder: Path) -> None:
    path = folder / f"{2**22 + 1}-{place._machine()}-abcdef"
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as first:
        busy.bind(str(path))
        busy.listen(0)
        first.connect(str(path))

        sweep(folder)

    assert path.exists()


def test_nothing_is_said_to_the_process_of_another_user(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / place.new_name()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        monkeypatch.setattr(peer, "user_of", lambda _connection: os.geteuid() + 1)

        with pytest.raises(NoAnswerError, match="another user"):
            ask(path, "ps")

        with listening.accept()[0] as heard:
            assert heard.recv(1) == b""
