"""What `dspex serve` serves: its words read, its programs found and made.

The code of a program is imported once. A saved file and the configuration are read anew
at each reload, into a copy, so that requests under way keep what they began with.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dspex.cli.configured import defaults_of, read_again
from dspex.cli.models import ModelChoice, chosen_by
from dspex.cli.programs import lm_for, program_of
from dspex.core import defaults

if TYPE_CHECKING:
    from dspex.configuration.reading import Configuration
    from dspex.serve.daemon import Loaded

_COMMAND_LINE = click.core.ParameterSource.COMMANDLINE
_READ_ANEW = frozenset(
    {"drain_within", "hosts", "max_requests", "request_timeout", "token_env"}
)
"""Options that are read at each load; the others are for the life of the process."""
_NAMED = re.compile(r"([A-Za-z][\w-]*)=(.+)", re.DOTALL)

Programs = Mapping[str, Callable[..., Any]]


def named(words: Sequence[str]) -> dict[str, str]:
    """Read words of the form `[NAME=]PROGRAM`; what each name stands for.

    A program in a module has the name of its attribute unless another is said.

    Raises:
        click.UsageError: A word has no name, or two have the same.

    Example:
        >>> named(["my_code:capital", "sum=numbers: list[int] -> total: int"])
        {'capital': 'my_code:capital', 'sum': 'numbers: list[int] -> total: int'}
    """
    found: dict[str, str] = {}
    for word in words:
        name, what = _split(word)
        if name in found:
            raise click.UsageError(
                f"two programs have the name {name!r}; each answers at a path of its "
                f"own. Write another name before one: other={what}."
            )
        found[name] = what
    return found


def _split(word: str) -> tuple[str, str]:
    said = _NAMED.fullmatch(word)
    if said is not None:
        return said[1], said[2]
    if "->" in word:
        raise click.UsageError(
            f"the signature {word!r} has no name; expected the path that it answers "
            f'at. Write it before: answer="{word}".'
        )
    return word.rpartition(":")[2].rpartition(".")[2], word


def saved_files(words: Sequence[str], names: Sequence[str]) -> dict[str, Path]:
    """Read words of the form `NAME=FILE.json`; with one program, `FILE.json` will do.

    Args:
        words: What the command line says.
        names: The names of the programs.

    Raises:
        click.UsageError: A word names no program that is served.

    Example:
        >>> saved_files(["capital.json"], ["capital"])
        {'capital': PosixPath('capital.json')}
    """
    found = {}
    for word in words:
        said = _NAMED.fullmatch(word)
        name, file = (said[1], said[2]) if said else ("", word)
        if said is None and len(names) == 1:
            name = names[0]
        if name not in names:
            raise click.UsageError(
                f"{word!r} names no program that is served; these are: "
                f"{', '.join(names)}. Write NAME=FILE.json with one of them."
            )
        found[name] = Path(file)
    return found


def options_now(ctx: click.Context, read: Configuration) -> dict[str, Any]:
    """Return those options of the command that are read anew, where they are said.

    What the command line says stays; a table of the configuration is what it is now.

    Args:
        ctx: The command line.
        read: The configuration, just read.
    """
    said = defaults_of(f"{ctx.info_name}", ctx.command, read)
    now = {}
    for option in ctx.command.params:
        name = option.name
        if name not in _READ_ANEW:
            continue
        if ctx.get_parameter_source(name) is _COMMAND_LINE:
            now[name] = ctx.params[name]
        elif name in said:
            now[name] = option.process_value(ctx, said[name])
    return now


def _held_to(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `Loaded` takes of the options of `dspex serve`."""
    from dspex.serve.terms import Terms

    terms = Terms.of(
        max_in_flight=options.get("max_requests", defaults.SERVE_IN_FLIGHT),
        timeout=options.get("request_timeout", defaults.SERVE_TIMEOUT),
        hosts=options.get("hosts", ()),
        token=f"${variable}" if (variable := options.get("token_env")) else None,
    )
    drain_within = options.get("drain_within", defaults.DRAIN_WITHIN)
    return {"terms": terms, "drain_within": drain_within}


def _keys_missing(programs: Sequence[Any], lm: Any) -> list[str]:
    """Return what each model would say that is asked without its key, once each."""
    predictors = [
        predictor
        for program in programs
        if hasattr(program, "predictors")
        for predictor in program.predictors()
    ]
    models = [lm, *(predictor.lm for predictor in predictors)]
    places = [getattr(model, "_place", None) for model in models]
    found = [getattr(place, "missing", None) for place in places]
    return list(dict.fromkeys(reason for reason in found if reason))


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What was ordered, with the programs as their modules have them."""

    programs: Programs
    """The programs by name."""
    saved: Mapping[str, Path] = field(default_factory=dict)
    """The file with the demos and instructions of a program, by its name."""
    ctx: click.Context
    """The command line, by which the configuration is read."""
    flags: Mapping[str, Any]
    """What it says about the model."""

    @classmethod
    def ordered(
        cls,
        words: Sequence[str],
        *,
        saved: Sequence[str],
        ctx: click.Context,
        choice: ModelChoice,
        folder: Path | None,
    ) -> Served:
        """Import what was ordered.

        Raises:
            click.UsageError: A word leads nowhere.
            Failure: Importing a module raises.
            SignatureError: A text is no signature.
        """
        specs = named(words)
        files = saved_files(saved, list(specs))
        programs = {
            name: program_of(spec, cot=False, saved=None, folder=folder)
            for name, spec in specs.items()
        }
        for name in files:
            if not hasattr(programs[name], "load"):
                raise click.UsageError(
                    f"{name!r} is a plain function, which has nothing to load into; "
                    "--load needs a dspex.Program. Leave --load out."
                )
        return cls(programs=programs, saved=files, ctx=ctx, flags=choice.flags)

    def load(self) -> Loaded:
        """Read the configuration and the saved files, and check all of it.

        Raises:
            ConfigurationError: Something is wrong with the configuration, or there is
                no model.
            DataError: A saved file cannot be read, or does not fit.
        """
        from dspex.serve.daemon import Loaded
        from supervisors.log import logger

        read = read_again(self.ctx, self.flags)
        choice = chosen_by(read, self.flags)
        programs = {name: self._made(name) for name in self.programs}
        found = [lm_for(each, choice) for each in programs.values()]
        lm = next((each for each in found if each is not None), None)
        for reason in _keys_missing([*programs.values()], lm):
            # The key may be one that a program sets, so it is no error yet.
            logger("dspex").warning("a model has no key", reason=reason)
        settings = {} if lm is None else {"lm": lm}
        return Loaded(
            programs=programs,
            config=read.config,
            settings=settings,
            **_held_to(options_now(self.ctx, read)),
        )

    def _made(self, name: str) -> Callable[..., Any]:
        program = self.programs[name]
        file = self.saved.get(name)
        if file is None:
            return program
        fresh: Any = copy.deepcopy(program)
        fresh.load(file)
        made: Callable[..., Any] = fresh
        return made
