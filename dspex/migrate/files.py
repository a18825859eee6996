"""Finds programs, reads them, and writes them back whole or not at all."""

from __future__ import annotations

import difflib
import os
import shutil
import tempfile
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

from dspex.core.errors import DataError
from dspex.migrate.edits import lines_of
from dspex.migrate.notebook import migrate_notebook
from dspex.migrate.source import Note, migrate_source

SUFFIXES: Final = (".py", ".pyi", ".ipynb")
"""What is looked at in a folder."""

_NOT_OURS: Final = frozenset({"__pycache__", "node_modules", "site-packages"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """One file, before and after."""

    path: Path
    """Where it is."""
    before: str
    """Its text."""
    after: str
    """The text to be."""
    encoding: str
    """How it is written."""
    notes: tuple[Note, ...]
    """What stays open."""

    @property
    def is_changed(self) -> bool:
        """Whether there is anything to write."""
        return self.after != self.before

    def diff(self) -> str:
        """Return the change as a unified diff, as `patch -p1` takes it."""
        name = self.path.as_posix().lstrip("/")
        lines = difflib.unified_diff(
            lines_of(self.before),
            lines_of(self.after),
            f"a/{name}",
            f"b/{name}",
        )
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
            for line in lines
        )

    def write(self) -> None:
        """Put the new text in the place of the old one, in one step."""
        target = self.path.resolve()
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(self.after.encode(self.encoding))
                file.flush()
                os.fsync(file.fileno())
            shutil.copymode(target, temporary)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def programs_below(path: Path) -> Iterator[Path]:
    """Yield a file, or the programs in a folder and below, in order.

    Hidden folders, virtual environments and installed packages are left out.
    """
    if path.is_file():
        yield path
        return
    for each in sorted(path.iterdir()):
        if each.is_file() and each.suffix in SUFFIXES:
            yield each
        elif each.is_dir() and not each.is_symlink() and not _is_left_out(each):
            yield from programs_below(each)


def _is_left_out(folder: Path) -> bool:
    return (
        folder.name.startswith(".")
        or folder.name in _NOT_OURS
        or (folder / "pyvenv.cfg").exists()
    )


def changed_file(path: Path) -> FileChange:
    """Read a program and return its change; nothing is written.

    Raises:
        DataError: When it is no Python, no notebook, or cannot be read.
    """
    is_notebook = path.suffix == ".ipynb"
    try:
        content = path.read_bytes()
        encoding = "utf-8" if is_notebook else _encoding(content)
        before = content.decode(encoding)
        done = migrate_notebook(before) if is_notebook else migrate_source(before)
    except (SyntaxError, ValueError, OSError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else None
        what = _told(error)
        kind = "notebook" if is_notebook else "Python"
        raise DataError(
            f"{path} cannot be read as {kind}: {what}. Only files that parse are "
            "changed. Mend it, or name the other files one by one.",
            path=path,
            line=line,
        ) from error
    return FileChange(
        path=path, before=before, after=done.text, encoding=encoding, notes=done.notes
    )


def _told(error: Exception) -> str:
    if isinstance(error, SyntaxError) and error.lineno:
        return f"line {error.lineno}: {error.msg}"
    return str(error)


def _encoding(content: bytes) -> str:
    """Return the encoding that the file declares; UTF-8 when it declares none."""
    return tokenize.detect_encoding(BytesIO(content).readline)[0]
