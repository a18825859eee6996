"""JSON files of saved programs: written whole or not at all, and read with care."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from dspex.core.errors import DataError, MissingFileError
from dspex.core.home import warn_of_others
from dspex.core.whole_files import written_whole


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object to a file: whole, or not at all."""
    encoded = _encoded(content)
    warn_of_others(path.parent)
    with written_whole(path) as file:
        file.write(encoded)


def _encoded(content: Mapping[str, Any]) -> bytes:
    try:
        return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:
        # Half a character (of a broken text) has no UTF-8; JSON's escape holds it.
        return (json.dumps(content, indent=2) + "\n").encode()


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a file.

    Raises:
        MissingFileError: When there is no file.
        DataError: When the file cannot be read, or holds no JSON object.
    """
    try:
        content = json.loads(
            path.read_text(encoding="utf-8-sig"), parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path} is no JSON, line {error.lineno}: {error.msg}; expected a file "
            "that save() wrote. Save the program again.",
            path=path,
            line=error.lineno,
        ) from error
    except FileNotFoundError as error:
        raise MissingFileError(
            f"there is no file {str(path)!r}; a file that save() wrote was expected "
            f"there, seen from {Path.cwd()}. Check the name, or pass an absolute path.",
            path=path,
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{path} cannot be read: {error}; expected a file that save() wrote. Check "
            "the path.",
            path=path,
        ) from error
    if not isinstance(content, dict):
        raise DataError(
            f"{path} holds {type(content).__name__!r}; expected an object of "
            "predictors. Save the program again.",
            path=path,
        )
    return content


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def versions() -> dict[str, Any]:
    """Return what the file says of the software that wrote it."""
    # `dependency_versions` holds names DSPy knows and no other: its loader looks each
    # of them up in its own list and ends with a KeyError for one it does not know.
    return {
        "dependency_versions": {"python": _python_version()},
        "dspex_version": _own_version(),
    }


def _python_version() -> str:
    return ".".join(platform.python_version_tuple()[:2])


def _own_version() -> str:
    from importlib import metadata  # slow to import

    try:
        return metadata.version("dspex")
    except metadata.PackageNotFoundError:
        return "unknown"
