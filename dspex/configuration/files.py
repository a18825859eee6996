"""The files of a configuration: where they are, what they hold, and in which line."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from dspex.client.secrets import MASK
from dspex.configuration import values
from dspex.configuration.faults import Fault, WrongConfigurationError
from dspex.configuration.origin import Origin, Source
from dspex.core.key_shapes import LOOKS_LIKE_A_KEY

NAME: Final = "dspex.toml"
"""The name of the file, in a project and in the user's folder."""

_TOO_LONG: Final = 1_000_000
"""Bytes from which a file is no configuration."""

_HEADER: Final = re.compile(r"\s*\[[^\[\]=]+\]\s*(?:#.*)?$")
_NO_ENTRY: Final = frozenset("#[]")
"""What stands before the first `=` of a line that begins no entry."""
_DEEPEST_LINE: Final = 8
"""Levels down to which it is known in which line a key stands."""
_AT_LINE: Final = re.compile(r"\(at line (\d+), column \d+\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationFile:
    """One file that was read."""

    source: Source
    """Whose it is."""
    path: Path
    """Where it lies."""
    found: Mapping[str, Any]
    """What it says, as TOML has it."""
    lines: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    """The line of each key, counted from 1."""

    def origin(self, *names: str) -> Origin:
        """Say where a key stands, or the closest table around it."""
        for length in range(len(names), 0, -1):
            if (line := self.lines.get(names[:length])) is not None:
                return Origin.of_file(self.source, self.path, line)
        return Origin.of_file(self.source, self.path)


def of_project(folder: Path) -> ConfigurationFile | None:
    """Read the project's file in this folder; `None` when there is none.

    Raises:
        WrongConfigurationError: It cannot be read, or there are two.
    """
    own = folder / NAME
    shared = of_pyproject(folder / "pyproject.toml")
    if not is_there(own):
        return shared
    if shared is not None:
        raise WrongConfigurationError(
            [
                Fault(
                    origin=shared.origin(),
                    key="tool.dspex",
                    text=f"{NAME} lies beside it and says the same things; one of the "
                    "two was expected. Move everything into one of them.",
                )
            ]
        )
    return read(own, Source.PROJECT)


def of_user(environ: Mapping[str, str], platform: str | None = None) -> Path:
    """Say where the user's own file is, whether it is there or not.

    In `dspex` in the platform's folder for settings: on Linux and other Unix
    `XDG_CONFIG_HOME` or `~/.config`, on macOS `~/Library/Application Support`, on
    Windows `%APPDATA%`.

    Example:
        >>> of_user({"HOME": "/home/ada"}, "linux").as_posix()
        '/home/ada/.config/dspex/dspex.toml'
    """
    return _settings_folder(environ, platform or sys.platform) / "dspex" / NAME


def read(path: Path, source: Source) -> ConfigurationFile:
    """Read one file.

    Raises:
        WrongConfigurationError: It is not there, cannot be read, or is no TOML; with
            its line.
    """
    text = _text(path, source)
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = _AT_LINE.search(str(error))
        # Else it is the end of the document where something is missing.
        line = int(at.group(1)) if at else len(text.removesuffix("\n").split("\n"))
        origin = Origin.of_file(source, path, line)
        told = LOOKS_LIKE_A_KEY.sub(MASK, re.sub(r"\s*\(at .*\)$", "", str(error)))
        raise _wrong(
            origin, f"this is no TOML: {told}. Correct the line, or quote its text."
        ) from error
    except ValueError as error:
        # `int()` refuses it, without a line.
        raise _wrong(
            Origin.of_file(source, path),
            "this holds a number of more digits than can be read; expected a "
            "configuration. Shorten it.",
        ) from error
    except RecursionError as error:
        raise _too_deep(source, path) from error
    if values.is_deep(found):
        raise _too_deep(source, path)
    return ConfigurationFile(
        source=source, path=path, found=found, lines=_lines_of(text)
    )


def of_pyproject(path: Path) -> ConfigurationFile | None:
    """Read `[tool.dspex]` of a `pyproject.toml`; `None` when it has none.

    Raises:
        WrongConfigurationError: As for `read`. A file that does not mention dspex is
            not looked into, so a mistake elsewhere in it is nobody's business here.
    """
    if not is_there(path) or b"dspex" not in _raw(path, Source.PROJECT):
        return None
    whole = read(path, Source.PROJECT)
    tool = whole.found.get("tool")
    found = tool.get("dspex") if isinstance(tool, Mapping) else None
    if found is None:
        return None
    prefix = ("tool", "dspex")
    if not isinstance(found, Mapping):
        raise WrongConfigurationError(
            [
                Fault(
                    origin=whole.origin(*prefix),
                    key="tool.dspex",
                    text="this is no table; one of keys was expected. Write "
                    "[tool.dspex], and each key below it.",
                )
            ]
        )
    return ConfigurationFile(
        source=Source.PROJECT,
        path=path,
        found=found,
        lines={
            names[2:]: line
            for names, line in whole.lines.items()
            if names[:2] == prefix
        },
    )


def is_there(path: Path) -> bool:
    """Whether there is a file to read, or something that keeps one from being read.

    A link that leads nowhere is there: somebody wanted a file to be found.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        # Reading it says what is the matter.
        return True
    return True


def _raw(path: Path, source: Source) -> bytes:
    origin = Origin.of_file(source, path)
    try:
        with path.open("rb") as file:
            raw = file.read(_TOO_LONG + 1)
    except OSError as error:
        raise _wrong(
            origin,
            f"this file cannot be read: {error.strerror or error}; expected a file of "
            "TOML. Correct the path, or give yourself the right to read it.",
        ) from error
    if len(raw) > _TOO_LONG:
        raise _wrong(
            origin,
            f"this file is longer than {_TOO_LONG:,} bytes; expected a configuration. "
            "Name another file.",
        )
    return raw


def _text(path: Path, source: Source) -> str:
    raw = _raw(path, source)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _wrong(
            Origin.of_file(source, path, line),
            "this is not UTF-8, as which TOML is written. Save the file as UTF-8.",
        ) from error


def _too_deep(source: Source, path: Path) -> WrongConfigurationError:
    return _wrong(
        Origin.of_file(source, path),
        "this has tables or lists in one another without end; expected a "
        "configuration. Name another file.",
    )


def _wrong(origin: Origin, text: str) -> WrongConfigurationError:
    return WrongConfigurationError([Fault(origin=origin, key="", text=text)])


def _lines_of(text: str) -> dict[tuple[str, ...], int]:
    """Return the line of each key, and of each table where it is first named.

    `tomllib` does not tell where it found a key. A line inside a text of several lines
    that looks like a key can only add a line for a key that is not there.
    """
    lines: dict[tuple[str, ...], int] = {}
    above: tuple[str, ...] = ()
    # Not `splitlines`, which knows ends of lines that TOML does not.
    for number, line in enumerate(text.split("\n"), start=1):
        names: tuple[str, ...] = ()
        before, is_entry, _ = line.partition("=")
        if _HEADER.match(line):
            names = above = _names(line)
        elif is_entry and not _NO_ENTRY & set(before):
            names = (*above, *_names(f"{before} = 0"))
        for length in range(1, min(len(names), _DEEPEST_LINE) + 1):
            lines.setdefault(names[:length], number)
    return lines


def _names(line: str) -> tuple[str, ...]:
    """Return the names in a header or a key, quoted and dotted ones as they are."""
    try:
        found: Any = tomllib.loads(line)
    except (ValueError, RecursionError):
        return ()
    names: list[str] = []
    while isinstance(found, dict) and found:
        name, found = next(iter(found.items()))
        names.append(name)
    return tuple(names)


def _settings_folder(environ: Mapping[str, str], platform: str) -> Path:
    if platform == "win32":
        roaming = environ.get("APPDATA")
        return Path(roaming) if roaming else _home(environ) / "AppData" / "Roaming"
    if platform == "darwin":
        return _home(environ) / "Library" / "Application Support"
    # A relative path here is to be ignored (XDG Base Directory Specification).
    chosen = Path(environ.get("XDG_CONFIG_HOME", ""))
    return chosen if chosen.is_absolute() else _home(environ) / ".config"


def _home(environ: Mapping[str, str]) -> Path:
    named = environ.get("HOME") or environ.get("USERPROFILE")
    try:
        return Path(named) if named else Path.home()
    except RuntimeError:
        # Under a number that nobody is called by, as in a container, there is none; no
        # file of the user's is found at the root either.
        return Path(os.sep)
