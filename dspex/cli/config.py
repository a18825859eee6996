"""`dspex config`: what is configured, who says so, and whether a file is right."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dspex.cli.configured import Options, configured
from dspex.cli.console import json_option, show, show_json, traceback_option

if TYPE_CHECKING:
    from dspex.configuration.origin import Value
    from dspex.configuration.reading import Configuration


@click.group()
def config() -> None:
    """Show what is configured, or check a file.

    Flags win over variables (DSPEX_...), these over dspex.toml or [tool.dspex] of
    pyproject.toml in this folder, that over your own dspex.toml, that over defaults.
    """


@config.command("show")
@click.option("--origin", is_flag=True, help="Say of each value who says it.")
@json_option
@traceback_option
def show_(origin: bool, as_json: bool) -> None:  # noqa: FBT001 - click passes by name
    """Show every value that counts here, the defaults too.

    \b
      dspex config show --origin
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    found = configured()
    if as_json:
        show_json(_as_json(found))
    else:
        show("\n".join(_lines(found, with_origin=origin)))


@config.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@json_option
@traceback_option
def check(file: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click passes by name
    """Check FILE, or whatever would be read here; each mistake is told with its line.

    The exit code is 78 when something is wrong.

    \b
      dspex config check deploy/dspex.toml
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    from dspex.cli.console import Exit, Failure
    from dspex.configuration.faults import WrongConfigurationError

    try:
        found = _checked(file)
    except WrongConfigurationError as error:
        if not as_json:
            raise
        show_json({"ok": False, "files": [], "faults": list(_faults(error))})
        text = f"{len(error.faults)} faults, told on standard output"
        raise Failure(text, Exit.CONFIGURATION) from error
    files = [str(path) for path in found.read]
    if as_json:
        show_json({"ok": True, "files": files, "faults": []})
    else:
        show("\n".join(f"{each}: all is well" for each in files) or _NO_FILE)


_NO_FILE = "there is no file here; the variables, if any, are right"


def _checked(file: Path | None) -> Configuration:
    from dspex.configuration.reading import checked_file

    if file is None:
        return configured()
    group = click.get_current_context().find_root().command
    return checked_file(
        file, Options(group) if isinstance(group, click.Group) else None
    )


def _faults(error: Any) -> Iterator[dict[str, Any]]:
    for fault in error.faults:
        yield {
            "place": fault.origin.place,
            "line": fault.origin.line,
            "key": fault.key,
            "text": fault.text,
        }


def _lines(found: Configuration, *, with_origin: bool) -> Iterator[str]:
    rows = [(name, _shown(value), str(value.origin)) for name, value in _all(found)]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for name, value, origin in rows:
        told = f"{name:<{widths[0]}}  {value:<{widths[1]}}"
        yield (f"{told}  {origin}" if with_origin else told).rstrip()


def _as_json(found: Configuration) -> dict[str, Any]:
    values = {
        name: {
            "value": _plain(value.value),
            "origin": value.origin.source.name.lower(),
            "place": value.origin.place or None,
            "line": value.origin.line,
        }
        for name, value in _all(found)
    }
    return {"files": [str(path) for path in found.read], "values": values}


def _all(found: Configuration) -> list[tuple[str, Value]]:
    """Return the values as they count, the home with where it really is."""
    from dataclasses import replace

    from dspex.core.home import home

    values = dict(found.values)
    if values["home"].value is None:
        values["home"] = replace(values["home"], value=home(os.environ))
    return list(values.items())


def _shown(value: Value) -> str:
    import json

    plain = _plain(value.value)
    if plain is None:
        return "-"
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; endless and not a number are texts there."""
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    is_endless = isinstance(value, float) and not math.isfinite(value)
    is_plain = isinstance(value, int | float | bool | None) and not is_endless
    return value if is_plain else str(value)
