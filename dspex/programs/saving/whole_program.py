"""Whole saved programs: a folder from which a program is made without its constructor.

The folder holds one JSON file. It has the program's attributes, its signatures and
demos, and the names of its classes and functions; their code stays where it is. So
loading runs nothing but what the reader allowed to be imported, and a program made of
dspex's own parts needs no permission at all.
"""

from __future__ import annotations

import hashlib
import inspect
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from dspex.core.errors import ConfigurationError, DataError, DspexError
from dspex.programs.program import Program
from dspex.programs.saving.files import read_json, versions, write_json
from dspex.programs.saving.made_parts import PartsReader, names_in
from dspex.programs.saving.parts import PartsWriter
from dspex.programs.saving.state import METADATA
from dspex.programs.saving.trust import Allowed, Trust

FILE: Final = "program.json"
"""The file in the folder."""

PICKLE: Final = "program.pkl"
"""The file in a folder that DSPy saved."""

_FAULTS: Final = (
    *(ArithmeticError, AttributeError, LookupError, RecursionError),
    *(TypeError, ValueError),
)
"""What a file that is no saved program may end in."""

FORMAT: Final = 1
"""Grows when a file can no longer be read as before."""


def save_program(
    program: Program, folder: Path, *, modules_to_serialize: Any = None
) -> None:
    """Write a program to a folder, which is made when there is none.

    Args:
        program: The program.
        folder: The folder; a program it holds already is replaced.
        modules_to_serialize: Refused when there is any: code does not go into a file.

    Raises:
        ConfigurationError: When the path is that of a file, or code was to be saved.
        DataError: When an attribute cannot be saved; it is named.
    """
    if modules_to_serialize:
        raise ConfigurationError(
            f"modules_to_serialize={modules_to_serialize!r} asks for code in the file; "
            "a saved program names its code and never holds it. Install the module "
            "where the program is loaded, and name it in load_program(allow=[...])."
        )
    if folder.suffix in {".json", ".pkl"} or (folder.exists() and not folder.is_dir()):
        raise ConfigurationError(
            f"{folder} is the path of a file; it must be a directory with "
            f"save_program=True. Use {folder.with_suffix('')}."
        )
    writer = PartsWriter()
    try:
        node = writer.node(program, "program")
    except RecursionError as error:
        raise DataError(
            f"the program cannot be saved: {error}; values nested less deeply were "
            "expected. Keep such a value out of the program's attributes."
        ) from error
    digests = {name: _source_digest(code) for name, code in writer.code.items()}
    folder.mkdir(parents=True, exist_ok=True)
    content = {"dspex_program": FORMAT, "program": node, "sources": digests}
    write_json(folder / FILE, {**content, METADATA: versions()})


def load_program(
    folder: str | Path,
    *,
    allow: Iterable[Allowed] = (),
    allow_pickle: bool = False,  # noqa: ARG001 - DSPy's callers write it
    allow_unsafe_lm_state: bool = False,
) -> Program:
    """Make the program that was saved to a folder with `save_program=True`.

    Its constructor does not run: its attributes come from the file. A program made of
    dspex's own parts loads as it is. Your own classes and functions are looked up only
    if you allow it, because importing a module runs the code in it.

    Args:
        folder: The folder.
        allow: Modules the file may name (`"my_app"` stands for all below it too), or
            the classes and functions themselves.
        allow_pickle: Is there for DSPy's callers; a pickle is refused always.
        allow_unsafe_lm_state: Whether the addresses of models (`api_base`) are taken
            from the file. Only for a file you trust: your keys go there.

    Returns:
        The program.

    Raises:
        ConfigurationError: When the folder holds a pickle, or `allow` makes no sense.
        UntrustedCodeError: When the file names code that was not allowed.
        MissingFileError: When the folder holds no saved program.
        DataError: When the file is no saved program, or what it names is not there.

    Warns:
        UserWarning: When the code of a class or function is another than when the
            program was saved.
    """
    path = Path(folder) / FILE
    _refuse_pickle(path)
    content = read_json(path)
    if content.get("dspex_program") != FORMAT or "program" not in content:
        raise DataError(
            f"{path} is no program that this dspex can read; expected "
            f'"dspex_program": {FORMAT}. Save the program again with '
            "save(folder, save_program=True).",
            path=path,
        )
    trust = Trust.of(allow)
    trust.check(names_in(content["program"]))
    try:
        reader = PartsReader(trust, allow_unsafe_lm_state=allow_unsafe_lm_state)
        program = reader.part(content["program"])
    except DataError:
        raise
    except (DspexError, *_FAULTS) as error:
        raise _broken(path, f"{type(error).__name__}: {error}") from error
    if not isinstance(program, Program):
        raise _broken(path, f"it holds a {type(program).__name__}")
    _warn_of_changed_code(trust, content.get("sources"))
    return program


def _refuse_pickle(path: Path) -> None:
    pickled = path.with_name(PICKLE)
    if pickled.is_file() and not path.is_file():
        raise ConfigurationError(
            f"{pickled} is a pickle, and loading one runs whatever code it holds; "
            "dspex loads programs from JSON only. Load it in DSPy, write "
            "program.save('state.json') there, and load that into the same program "
            "here."
        )


def _broken(path: Path, problem: str) -> DataError:
    return DataError(
        f"{path} is no saved program: {problem}; expected what save() wrote. Save the "
        "program again.",
        path=path,
    )


def _warn_of_changed_code(trust: Trust, sources: Any) -> None:
    for name, digest in sources.items() if isinstance(sources, dict) else ():
        if trust.allows(name) and digest != _source_digest(trust.find(name)):
            warnings.warn(
                f"the code of {name!r} is another than when the program was saved; it "
                "runs with the attributes of then. Save the program again when it "
                "works as it should.",
                UserWarning,
                stacklevel=3,
            )


def _source_digest(code: Any) -> str | None:
    """Return the SHA-256 of a class's or function's source; `None` without one."""
    try:
        return hashlib.sha256(inspect.getsource(code).encode()).hexdigest()
    except (OSError, TypeError):
        return None
