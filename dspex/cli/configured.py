"""What the command line takes from the configuration: defaults, the model, the home.

It is read once for each command, and only when the command is carried out: `--help` and
the completion of words work beside a file that is wrong.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import click

from dspex.cli.console import Commands

if TYPE_CHECKING:
    from dspex.configuration.reading import Configuration

_READ: Final = "dspex.configuration"
_ASKS_FOR_HELP: Final = frozenset({"-h", "--help"})

_LENIENT: Final = frozenset({"completion", "config", "doctor", "migrate"})
"""Commands that have to work beside a configuration that is wrong, or read none."""

_AS_BEGUN: Final = frozenset({"resume"})
"""Commands that go on as something was begun, whatever the defaults are now."""

_BY_THEMSELVES: Final = frozenset(
    {"model", "api_base", "api_key_env", "help", "json", "traceback", "yes"}
)
"""Options that no table may have: those of a model are keys of their own, and the
others are for one call."""

_NUMBERS: Final = (click.types.IntParamType, click.types.FloatParamType)

_HOME: Final = "DSPEX_HOME"


class ConfiguredCommands(Commands):
    """The group of all commands; options that are not given are as configured."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and read the configuration for it."""
        name, command, rest = super().resolve_command(ctx, args)
        is_wanted = not ctx.resilient_parsing and not _ASKS_FOR_HELP & set(rest)
        if name is None or command is None or not is_wanted or name in _LENIENT:
            return name, command, rest
        found = configured(ctx)
        ctx.default_map = {name: defaults_of(name, command, found)}
        _be_at_home(ctx, found)
        return name, command, rest


class Options:
    """The options of the commands of a group, for the tables of a file."""

    def __init__(self, group: click.Group) -> None:
        self._group = group

    def names(self, command: str) -> list[str]:
        """The options that a table may have."""
        return list(_options(self._group.commands.get(command)))

    def is_text(self, command: str, option: str) -> bool:
        """Whether an option takes one text: a name, a word of a few, a path."""
        known = _options(self._group.commands.get(command)).get(option)
        if known is None or known.is_flag or known.multiple or known.nargs != 1:
            return False
        return not isinstance(known.type, _NUMBERS)

    def fault(self, command: str, option: str, value: Any) -> str | None:
        """Say what is wrong with a default."""
        known = _options(self._group.commands.get(command))
        if option in {"model", "api_base", "api_key_env"}:
            return (
                "the model is the same for every command; expected it above the "
                f"tables. Write {option} = ... there."
            )
        if option not in known:
            close = get_close_matches(option, known, n=1)
            hint = (
                f"did you mean {close[0]!r}?"
                if close
                else f"its options are: {', '.join(sorted(known))}."
            )
            return f"dspex {command} has no such option; {hint}"
        return _unfit(known[option], value)


def configured(ctx: click.Context | None = None) -> Configuration:
    """Return the configuration of this command line, read once.

    Raises:
        ConfigurationError: It is wrong; the text names file, line and key.
    """
    root = (ctx or click.get_current_context()).find_root()
    if _READ not in root.meta:
        root.meta[_READ] = read_again(root)
    found: Configuration = root.meta[_READ]
    return found


def read_again(
    ctx: click.Context, flags: Mapping[str, Any] | None = None
) -> Configuration:
    """Read the configuration with flags above everything else.

    Raises:
        ConfigurationError: It is wrong.
    """
    from dspex.configuration.reading import configuration

    group = ctx.find_root().command
    options = Options(group) if isinstance(group, click.Group) else None
    return configuration(os.environ, flags=flags, commands=options)


def defaults_of(
    name: str, command: click.Command, found: Configuration
) -> dict[str, Any]:
    """Return what the options of a command are when they are not given.

    A key such as `concurrency` is for every command that has this option; what a table
    says for one command wins, unless the key is said in a higher place.
    """
    taken: dict[str, Any] = {}
    for option, parameter in _options(command).items():
        said = [
            found.values[key]
            for key in (f"{name}.{option}", option)
            if key in found.values and (key != option or name not in _AS_BEGUN)
        ]
        best = max(said, key=lambda value: value.origin.source, default=None)
        if best is not None and best.origin.source > 0:
            taken[str(parameter.name)] = best.value
    return taken


def _options(command: click.Command | None) -> dict[str, click.Option]:
    """Return the options of a command by the names a table has for them."""
    parameters = [] if command is None else command.params
    options = {
        max(each.opts, key=len).lstrip("-").replace("-", "_"): each
        for each in parameters
        if isinstance(each, click.Option)
    }
    return {name: each for name, each in options.items() if name not in _BY_THEMSELVES}


def _unfit(option: click.Option, value: Any) -> str | None:
    if option.is_flag and not isinstance(value, bool):
        return f"{value!r} does not fit; expected true or false. Correct it."
    try:
        option.type_cast_value(click.Context(click.Command("check")), value)
    except click.BadParameter as error:
        return f"{error.message} Correct it."
    except TypeError:
        return f"{value!r} does not fit; expected {option.metavar}. Correct it."
    return None


def _be_at_home(ctx: click.Context, found: Configuration) -> None:
    """Have this command, and the processes it starts, find the home of a file."""
    from dspex.configuration.origin import Source

    home = found.values["home"]
    if home.origin.source not in {Source.USER, Source.PROJECT}:
        return
    before = os.environ.get(_HOME)
    os.environ[_HOME] = str(home.value)
    ctx.call_on_close(lambda: _put_back(before))


def _put_back(before: str | None) -> None:
    os.environ.pop(_HOME, None)
    if before is not None:
        os.environ[_HOME] = before
