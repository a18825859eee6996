"""Files that a command is to write: refused before the work, not after it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dspex.cli.console import writing
from dspex.core.errors import ConfigurationError
from dspex.core.whole_files import check_place

if TYPE_CHECKING:
    from dspex.evaluate.results.result import EvaluationResult
    from dspex.teleprompt.studies.study_result import StudyResult

Checked = Path | None


def page(_context: click.Context, parameter: click.Parameter, path: Checked) -> Checked:
    """Hold that a page can be written to a path."""
    return _checked(parameter, path, (".html", ".htm"))


def rows_file(
    _context: click.Context, parameter: click.Parameter, path: Checked
) -> Checked:
    """Hold that rows can be written to a path, and that its suffix says how."""
    return _checked(parameter, path, (".csv", ".jsonl"))


def save_rows(
    result: EvaluationResult | StudyResult, path: Path, *, raw: bool = False
) -> None:
    """Write the rows of a result, as the file's suffix says."""
    with writing(str(path)):
        if path.suffix.lower() == ".csv":
            result.save_csv(path, raw=raw)
        else:
            result.save_jsonl(path)


def _checked(
    parameter: click.Parameter, path: Checked, suffixes: tuple[str, ...]
) -> Checked:
    if path is None:
        return None
    if path.suffix.lower() not in suffixes:
        raise click.BadParameter(
            f"{str(path)!r} does not end in {' or '.join(suffixes)}, which says what "
            f"to write. Use {str(path.with_suffix(suffixes[0]))!r}."
        )
    try:
        check_place(path.absolute(), parameter.opts[-1])
    except ConfigurationError as error:
        raise click.BadParameter(error.message) from error
    return path.absolute()
