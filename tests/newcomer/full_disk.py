"""A disk that is full, made of what any user may make."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.newcomer.path import ROOT

SMALL: Final = 20_000_000
"""Bytes of a file system of our own; no model goes there."""
TOO_SMALL: Final = 200_000_000
"""Bytes below which one that is there will do."""

_MOUNT: Final = 'mount -t tmpfs -o size="$1" none "$2" && shift 2 && "$@"'
_LIMIT: Final = (
    "import os, resource, sys\n"
    "limit = int(sys.argv[1])\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)
_TELL: Final = (
    "import os, pathlib, subprocess, sys\n"
    "home, listing = map(pathlib.Path, sys.argv[1:3])\n"
    "code = subprocess.call([sys.executable, '-m', 'dspex', *sys.argv[3:]])\n"
    "files = [str(path.relative_to(home)) for path in home.rglob('*')\n"
    "         if not path.is_dir()]\n"
    "listing.write_text('\\n'.join(sorted(files)))\n"
    "sys.exit(code)\n"
)
"""Runs a command, and lists what it leaves while its disk is still there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """How a command ended."""

    code: int
    """Its exit code."""
    error: str
    """What it told on its error output."""
    files: Sequence[str]
    """What lies in its home, as paths in it."""


def on_a_full_disk(words: Sequence[str], folder: Path) -> Left | None:
    """Give a command a home on a file system that has no room for a model.

    It is one of our own where a user may mount one, else a small one of the machine's;
    `None` where there is neither.
    """
    disk = folder / "disk"
    disk.mkdir()
    mounting = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _MOUNT)
    own = (*mounting, "sh", str(SMALL), str(disk))
    if shutil.which("unshare") and not subprocess.call(
        [*own, "true"], stderr=subprocess.DEVNULL
    ):
        return _given(words, disk / "home", folder / "listing", before=own)
    small = _small_one()
    if small is None:
        return None
    with tempfile.TemporaryDirectory(dir=small) as place:
        return _given(words, Path(place) / "home", folder / "listing")


def on_a_disk_that_fills_up(words: Sequence[str], folder: Path) -> Left:
    """Have the system refuse to let a command's files grow, as a full disk does."""
    limiting = (sys.executable, "-c", _LIMIT, str(SMALL))
    return _given(words, folder / "home", folder / "listing", before=limiting)


def _small_one() -> Path | None:
    """A file system of the machine that is small enough."""
    mounts = Path("/proc/mounts")
    lines = mounts.read_text("utf-8").splitlines() if mounts.exists() else []
    places = (Path(line.split()[1]) for line in lines)
    return next((place for place in places if _is_small(place)), None)


def _is_small(place: Path) -> bool:
    try:
        is_ours = os.access(place, os.W_OK) and place.is_dir()
        return is_ours and 1_000_000 < shutil.disk_usage(place).free < TOO_SMALL
    except OSError:
        return False


def _given(
    words: Sequence[str], home: Path, listing: Path, *, before: Sequence[str] = ()
) -> Left:
    done = subprocess.run(
        [*before, sys.executable, "-c", _TELL, str(home), str(listing), *words],
        env=_environment(home),
        capture_output=True,
        encoding="utf-8",
    )
    return Left(
        code=done.returncode,
        error=done.stderr,
        files=listing.read_text("utf-8").split() if listing.exists() else (),
    )


def _environment(home: Path) -> Mapping[str, str]:
    own = {key: one for key, one in os.environ.items() if not key.startswith("DSPEX_")}
    return {**own, "DSPEX_HOME": str(home), "PYTHONPATH": str(ROOT)}
