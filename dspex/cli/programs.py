"""Which program a command runs: a signature, a saved program, the user's own code."""

from __future__ import annotations

import importlib
import re
import sys
import traceback
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dspex.cli.console import Exit, Failure
from dspex.cli.models import ModelChoice

if TYPE_CHECKING:
    from dspex.core.lm import LanguageModel
    from dspex.core.signature import Signature
    from dspex.programs.program import Program

_ATTRIBUTE = re.compile(r"[\w.]+:[\w.]+")
_FILE = re.compile(r"(?P<path>[^:]+)\.py(?::(?P<name>[\w.]*))?")

saved_option = click.option(
    "--program",
    "saved",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.json",
    help="A saved program to load: its demos and instructions.",
)


def program_of(
    text: str, *, cot: bool, saved: Path | None, folder: Path | None = None
) -> Callable[..., Any]:
    """Make the program that a signature or `module:attribute` names.

    Args:
        text: What the command line says.
        cot: Whether a signature is asked with reasoning.
        saved: A file to load into it, or `None`.
        folder: Where modules are looked for first; `None` is the current folder.

    Raises:
        click.UsageError: When there is no such module or attribute.
        SignatureError: When the text is no signature.
        DataError: When the saved file does not fit.
    """
    _refuse_file(text)
    if text.replace(".", "_").isidentifier():
        raise click.UsageError(
            f"{text!r} is neither a signature, which has an arrow, nor MODULE:NAME. "
            f'Write it as "question -> answer", or as {text}:program.'
        )
    if _ATTRIBUTE.fullmatch(text) is None:
        return program_of_signature(text, cot=cot, saved=saved)
    program = _called_if_class(load_attribute(text, folder))
    if cot:
        raise click.UsageError(
            f"--cot is for signatures, and {text!r} is a program of its own. Use "
            "dspex.ChainOfThought in it."
        )
    if saved is not None:
        if not _is_program(program):
            raise click.UsageError(
                f"{text!r} is a plain function, which has nothing to load into; "
                "--program needs a dspex.Program. Leave --program out."
            )
        program.load(saved)
    found: Callable[..., Any] = program
    return found


def program_of_signature(signature: str, *, cot: bool, saved: Path | None) -> Program:
    """Make a predictor of a signature.

    Raises:
        SignatureError: When the text is no signature.
        DataError: When the saved file does not fit.
    """
    import dspex

    program = dspex.ChainOfThought(signature) if cot else dspex.Predict(signature)
    return program if saved is None else program.load(saved)


def signature_of(program: Any) -> type[Signature] | None:
    """Return the signature of a single predictor; a larger program has none."""
    from dspex.programs import ChainOfThought, Predict

    if isinstance(program, ChainOfThought):
        program = program.predict
    return program.signature if isinstance(program, Predict) else None


def lm_for(program: Any, choice: ModelChoice) -> LanguageModel | None:
    """Decide on the model: the one that was said, the program's own, the embedded one.

    Returns:
        What to configure; `None` when every predictor has a model already.

    Raises:
        ConfigurationError: When there is none.
    """
    from dspex.programs.settings import settings

    predictors = program.predictors() if _is_program(program) else []
    if choice.is_said:
        for predictor in predictors:
            predictor.lm = None
        return choice.lm()
    if settings.lm is not None:
        configured: LanguageModel = settings.lm
        return configured
    if predictors and all(predictor.lm is not None for predictor in predictors):
        return None
    return choice.lm()


def load_attribute(text: str, folder: Path | None = None) -> Any:
    """Import what `module:attribute` names.

    Args:
        text: What the command line says.
        folder: Where it is looked for first; `None` is the current folder.

    Raises:
        click.UsageError: When the module or the attribute is not there.
        Failure: When importing the module raises.
    """
    _refuse_file(text)
    name, _, path = text.partition(":")
    found = _imported(name, folder or Path.cwd())
    for word in path.split("."):
        if not hasattr(found, word):
            close = get_close_matches(word, dir(found), n=1)
            hint = f"Did you mean {close[0]!r}?" if close else "Check its name."
            raise click.UsageError(
                f"{text!r}: the module {name!r} is there, but it has no {path!r}. "
                f"{hint}"
            )
        found = getattr(found, word)
    return found


def _imported(name: str, folder: Path) -> Any:
    here = str(folder.absolute())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _broken(name, error) from error
        raise click.UsageError(
            f"there is no module {name!r}, seen from {here}; expected MODULE:NAME, "
            "such as my_code:program, or a signature with an arrow. Change into the "
            "folder of the module, or install it."
        ) from error
    except SystemExit as error:
        # Left alone, a script that ends with exit(0) would pass for a good score.
        raise Failure(
            f"importing the module {name!r} ended with exit({error.code!r}). Put what "
            'it does as a script under: if __name__ == "__main__":',
            Exit.FAILED,
        ) from error
    except Exception as error:
        raise _broken(name, error) from error


def _refuse_file(text: str) -> None:
    """Refuse the file of a module in the place of its name.

    Raises:
        click.UsageError: Then.
    """
    match = _FILE.fullmatch(text)
    if match is None:
        return
    path = Path(match["path"])
    is_below = not path.is_absolute() and ".." not in path.parts
    module = ".".join(path.parts) if is_below else path.name
    where = "Write" if is_below else "Change into its folder, and write"
    raise click.UsageError(
        f"{text!r} is a file; expected a module, as Python imports it. {where} "
        f"{module}:{match['name'] or 'program'}."
    )


def _broken(name: str, error: Exception) -> Failure:
    return Failure(
        f"importing the module {name!r} raised {type(error).__name__}: {error}. It "
        f"must be importable by itself: try python -c 'import {name}'.\n"
        f"{_own_traceback(error)}",
        Exit.FAILED,
    )


def _own_traceback(error: Exception) -> str:
    """Where a module raised, without what imported it."""
    told = traceback.TracebackException.from_exception(error)
    ours = {__file__, importlib.__file__}
    theirs = [
        frame
        for frame in told.stack
        if frame.filename not in ours and "<frozen importlib" not in frame.filename
    ]
    told.stack[:] = theirs
    # The error of a text that is no Python is raised in no line of it.
    lines = told.format() if theirs else told.format_exception_only()
    return "".join(lines).rstrip()


def _called_if_class(found: Any) -> Any:
    program = _made(found) if isinstance(found, type) else found
    if not callable(program):
        raise click.UsageError(
            f"the program is {type(program).__name__!r}; expected something to call "
            "with the inputs by name. Name a dspex.Program or a function."
        )
    return program


def _made(kind: type) -> Any:
    try:
        return kind()
    except Exception as error:
        raise Failure(
            f"making a {kind.__name__} raised {type(error).__name__}: {error}. Name "
            "one that is made already, or a class that needs no argument.\n"
            f"{_own_traceback(error)}",
            Exit.FAILED,
        ) from error


def _is_program(program: Any) -> bool:
    from dspex.programs import Program

    return isinstance(program, Program)
