"""What every command shares: where words go, how errors are told, exit codes.

Results go to standard output, everything else to standard error, so that a result can
be piped. An error that dspex raises on purpose is one message without a traceback.
"""

from __future__ import annotations

import errno
import functools
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from difflib import get_close_matches
from enum import IntEnum
from typing import IO, Any, Final, TypeVar, cast

import click

from dspex.cli.clean_output import in_letters_of, nothing_else, results
from dspex.control.errors import GoneError, NoAnswerError
from dspex.core.errors import (
    ConfigurationError,
    DataError,
    DspexError,
    EvaluationError,
    LMAuthError,
    LMBillingError,
    LMError,
    LMInvalidRequestError,
    MissingInputError,
    RecordError,
    RecordUnwritableError,
    RunBusyError,
    RunError,
    RunExistsError,
    RunFencedError,
    RunNotFoundError,
    RuntimeClosedError,
    SignatureError,
)
from dspex.core.safe_text import safe_json, safe_text

Command = TypeVar("Command", bound=Callable[..., Any])


class Exit(IntEnum):
    """How a command ended, for scripts; the numbers are those of `sysexits.h`."""

    OK = 0
    """All went well."""
    FAILED = 1
    """A run failed, or its score is below `--fail-under`."""
    USAGE = 2
    """The command line makes no sense."""
    BAD_DATA = 65
    """A data file or a saved program cannot be read."""
    UNAVAILABLE = 69
    """The provider of the model is down, or a process does not answer."""
    INTERNAL = 70
    """A mistake of dspex itself."""
    RECORD = 74
    """A file or the record of a run cannot be written, or somebody else took the run
    over."""
    BUSY = 75
    """Somebody else works on that run; try again later."""
    CONFIGURATION = 78
    """A model, a key or an extra is missing or wrong."""
    INTERRUPTED = 130
    """Ctrl-C."""


def exit_code(error: BaseException) -> Exit:
    """Say how a command ends that this error ended.

    Example:
        >>> exit_code(DataError("line 3 is no JSON"))
        <Exit.BAD_DATA: 65>
    """
    cause = error.__cause__ if isinstance(error, EvaluationError) else None
    if isinstance(cause, LMError | RunError | ConfigurationError):
        return exit_code(cause)
    return next(
        (code for kind, code in _ENDS if isinstance(error, kind)), Exit.INTERNAL
    )


_ENDS: Final[tuple[tuple[type[BaseException], Exit], ...]] = (
    (KeyboardInterrupt, Exit.INTERRUPTED),
    (SignatureError, Exit.USAGE),
    (MissingInputError, Exit.USAGE),
    (RunNotFoundError, Exit.USAGE),
    (RunExistsError, Exit.USAGE),
    (RunBusyError, Exit.BUSY),
    (RunFencedError, Exit.RECORD),
    (RecordUnwritableError, Exit.RECORD),
    (RecordError, Exit.BAD_DATA),
    (DataError, Exit.BAD_DATA),
    (ConfigurationError, Exit.CONFIGURATION),
    (LMAuthError, Exit.CONFIGURATION),
    (LMBillingError, Exit.CONFIGURATION),
    (LMInvalidRequestError, Exit.FAILED),
    (LMError, Exit.UNAVAILABLE),
    (GoneError, Exit.UNAVAILABLE),
    (NoAnswerError, Exit.UNAVAILABLE),
    (RuntimeClosedError, Exit.INTERNAL),
    (DspexError, Exit.FAILED),
)
"""How a command ends; the first kind that an error is counts."""


class Failure(click.ClickException):
    """The end of a command that did not go well: one message and an exit code."""

    def __init__(self, message: str, code: Exit) -> None:
        super().__init__(message)
        # click reads it of the instance, though it declares it for the class.
        self.__dict__["exit_code"] = int(code)

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the message to standard error; one that is full keeps the code."""
        with suppress(OSError):
            click.echo(f"dspex: {safe_text(self.message)}", file=file, err=True)


def show(text: str) -> None:
    """Write a part of the result, for people."""
    with writing("standard output"):
        click.echo(safe_text(text), file=results())


def show_json(value: Any, *, on_one_line: bool = False) -> None:
    """Write the result as JSON; nothing else goes to standard output then."""
    with writing("standard output"):
        out = results()
        text = safe_json(value, indent=None if on_one_line else 2)
        click.echo(in_letters_of(out, text), file=out)


@contextmanager
def writing(where: str) -> Iterator[None]:
    """In the block something is written; that it cannot be is told as such.

    Raises:
        Failure: Then, such as on a full disk; not when whoever read it has gone.
    """
    try:
        yield
    except OSError as error:
        if _is_broken_pipe(error):
            raise
        raise Failure(
            f"{where} cannot be written: {error.strerror or error}. Make room for it, "
            "or choose another place.",
            Exit.RECORD,
        ) from error


def say(text: str) -> None:
    """Write something beside the result: progress, a hint, a reason."""
    click.echo(safe_text(text), err=True)


class Commands(click.Group):
    """The group of all commands; turns whatever ends one into message and code."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line of this process, or `args`."""
        _write_whatever_comes()
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            # The help of the whole command is written before any command is invoked.
            failure = _unwritable(error)
            if failure is None:
                raise
            failure.show()
            sys.exit(failure.exit_code)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except Failure as error:
            if error.__cause__ is not None:
                self._show_traceback(ctx)
            raise
        except (click.ClickException, click.exceptions.Exit):
            raise
        except click.Abort as error:
            if isinstance(error.__context__, KeyboardInterrupt):
                raise Failure("interrupted", Exit.INTERRUPTED) from error
            raise
        except KeyboardInterrupt as error:
            self._show_traceback(ctx)
            raise Failure("interrupted", Exit.INTERRUPTED) from error
        except Exception as error:
            if _is_broken_pipe(error):
                raise  # click ends quietly: whoever read the output has read enough
            self._show_traceback(ctx)
            known = _unwritable(error) or _homeless(error)
            raise (known or Failure(_told(error), exit_code(error))) from error

    @staticmethod
    def _show_traceback(ctx: click.Context) -> None:
        if ctx.meta.get(_WANTS_TRACEBACK):
            say(traceback.format_exc().rstrip())


_WANTS_TRACEBACK = "dspex.traceback"


def _remember(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click calls it so
    if value:
        ctx.meta[_WANTS_TRACEBACK] = True


def traceback_option(command: Command) -> Command:
    """Give a command the flag that shows where an error was raised."""
    option = click.option(
        "--traceback",
        is_flag=True,
        expose_value=False,
        callback=_remember,
        envvar="DSPEX_TRACEBACK",
        show_envvar=True,
        help="Show where an error was raised, besides its message.",
    )
    return option(command)


def json_option(command: Command) -> Command:
    """Give a command the flag that makes its result JSON."""
    option = click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Print the result as JSON, and nothing else on standard output.",
    )

    @functools.wraps(command)
    def clean(*args: Any, as_json: bool, **others: Any) -> Any:
        with nothing_else() if as_json else nullcontext():
            return command(*args, as_json=as_json, **others)

    return option(cast("Command", clean))


def _told(error: Exception) -> str:
    if isinstance(error, RunNotFoundError):
        return f"{error}{_meant(error)}"
    if isinstance(error, DspexError):
        return str(error)
    return (
        f"an error that was not expected here: {type(error).__name__}: {error}. It is "
        "a mistake of dspex, or of the program it ran. Run it again with --traceback "
        "to see where it comes from."
    )


def _meant(error: RunNotFoundError) -> str:
    """Name the run that is spelt most like the one that is not there."""
    from dspex.core.home import home
    from dspex.evaluate.record.retention import places

    names = [place.run for place, _ in places(home())]
    close = get_close_matches(f"{error.run}", names, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _unwritable(error: BaseException) -> Failure | None:
    """The end of a command for which there was no room."""
    if not isinstance(error, OSError) or error.errno not in _FULL:
        return None
    where = "a file, or standard output," if error.filename is None else error.filename
    return Failure(
        f"{where} cannot be written: {error.strerror}. Make room for it, or choose "
        "another place.",
        Exit.RECORD,
    )


_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def _homeless(error: BaseException) -> Failure | None:
    """The end of a command in a folder that is not there any more."""
    if not isinstance(error, FileNotFoundError):
        return None
    try:
        os.getcwd()  # noqa: PTH109 - it is asked whether it is there, not where
    except FileNotFoundError:
        return Failure(
            "the folder this was begun in has been deleted; one that is there was "
            "expected. Change into another one.",
            Exit.USAGE,
        )
    return None


def _is_broken_pipe(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno == errno.EPIPE


def _write_whatever_comes() -> None:
    """Let a terminal that lacks a character show its number instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
