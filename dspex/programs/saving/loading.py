"""`dspex.load`: rows of data, or, of a folder, the program that was saved there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload

from dspex.core import data
from dspex.core.data import Dataset, Source
from dspex.core.errors import ConfigurationError
from dspex.programs.program import Program
from dspex.programs.saving.trust import Allowed
from dspex.programs.saving.whole_program import load_program


@overload
def load(source: Source, *, inputs: Sequence[str] | None = None) -> Dataset: ...


@overload
def load(
    source: str | os.PathLike[str],
    *,
    allow_pickle: bool,
    allow: Iterable[Allowed] = (),
) -> Program: ...


@overload
def load(source: str | os.PathLike[str], *, allow: Iterable[Allowed]) -> Program: ...


def load(
    source: Source,
    *,
    inputs: Sequence[str] | None = None,
    allow: Iterable[Allowed] = (),
    allow_pickle: bool = False,
) -> Dataset | Program:
    """Load a data set, or the program in a folder.

    A folder is a program that was saved with `save_program=True`, as for DSPy's
    function of the same name; it is loaded by `load_program`, whose name says it and
    whose type is a program's. Anything else is data: a file (`.csv`, `.tsv`, `.jsonl`,
    `.ndjson`, `.json`, `.parquet`), a data frame, or any iterable of rows.

    Args:
        source: A path, or rows.
        inputs: The fields a program is given; the others are what it should answer.
            By default, examples keep the inputs they have, and other rows have none
            yet: `Example.with_inputs()` sets them later.
        allow: For a program, the modules and classes its file may name.
        allow_pickle: Is there for DSPy's callers; a pickle is refused always.

    Raises:
        MissingFileError: When there is no such file or folder.
        DataError: When a row cannot be read or lacks an input, with file and line, or
            when a folder holds no program.
        ConfigurationError: When `inputs` is a single text instead of a list, or the
            folder holds a pickle.

    Example:
        >>> rows = load([{"country": "Peru", "capital": "Lima"}], inputs=["country"])
        >>> rows[0].inputs().country
        'Peru'
    """
    is_folder = isinstance(source, str | os.PathLike) and Path(source).is_dir()
    if not is_folder:
        return data.load(source, inputs=inputs)
    if inputs is not None:
        raise ConfigurationError(
            f"{source} is a folder, and inputs={list(inputs)!r} was given; a folder is "
            "a saved program, which has no rows. Pass the file with the rows."
        )
    return load_program(Path(str(source)), allow=allow, allow_pickle=allow_pickle)
