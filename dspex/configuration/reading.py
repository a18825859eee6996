"""Flags, environment, the project's file and the user's own, put together.

Nothing is read until somebody calls `configuration`, and then only what it was given:
the environment, the flags, and the files that these lead to.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from dspex.client.providers.endpoint import is_loopback
from dspex.client.secrets import MASK
from dspex.configuration import environment, files, values
from dspex.configuration.faults import Fault, WrongConfigurationError
from dspex.configuration.files import ConfigurationFile
from dspex.configuration.keys import COMMANDS, keys, unknown
from dspex.configuration.origin import NOBODY, Origin, Source, Value
from dspex.runtime.config import Config

if TYPE_CHECKING:
    from dspex.runtime.language_model import LM


class CommandOptions(Protocol):
    """What knows the options of commands, which may have defaults in files."""

    def names(self, command: str) -> Collection[str]:
        """The options of a command, such as `fail_under`."""

    def is_text(self, command: str, option: str) -> bool:
        """Whether an option takes one text, so that a variable's is taken as it is."""

    def fault(self, command: str, option: str, value: Any) -> str | None:
        """Say what is wrong with a value of TOML for an option; `None` when nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What was found, checked, with the origin of each value."""

    values: Mapping[str, Value]
    """Every key, those that nobody says with their default. Options of commands that
    somebody says are there as `evaluate.trials`."""
    read: tuple[Path, ...] = ()
    """The files that were read."""

    @property
    def config(self) -> Config:
        """The part that is a runtime's."""
        return Config(
            **{
                name: self.values[name].value
                for name, key in keys().items()
                if key.of_runtime and self.is_said(name)
            }
        )

    @property
    def lm(self) -> str | None:
        """The model string, or `None` when nobody names a model."""
        found: str | None = self.values["model"].value
        return found

    def is_said(self, name: str) -> bool:
        """Whether somebody says a key, so that it is no default."""
        return self.values[name].origin.source is not Source.DEFAULT

    def language_model(self, environ: Mapping[str, str] | None = None) -> LM | None:
        """Make the model, with its address, key and settings.

        Args:
            environ: Where the variable of `api_key_env` is looked up; the process's
                own environment by default.

        Returns:
            `None` when nobody names a model.

        Raises:
            ConfigurationError: The model string, a setting or the address makes no
                sense, or the variable that holds the key is not set.
        """
        from dspex.runtime.language_model import LM

        if self.lm is None:
            return None
        named = self.values["api_key_env"]
        environ = os.environ if environ is None else environ
        key = None if named.value is None else environ.get(named.value)
        if named.value is not None and not key:
            text = (
                "the variable it names is not set; expected the key in it. Set it: "
                f"export {named.value}=..."
            )
            raise WrongConfigurationError(
                [Fault(origin=named.origin, key="api_key_env", text=text)]
            )
        return LM(
            self.lm,
            api_base=self.values["api_base"].value,
            api_key=key,
            **self.values["settings"].value,
        )

    def settings(self) -> dict[str, Any]:
        """Return what `dspex.configure(**...)` takes: what somebody says of it.

        Raises:
            ConfigurationError: As for `language_model()`.
        """
        names = [name for name in _SETTINGS if self.is_said(name)]
        found = {name: self.values[name].value for name in names}
        lm = self.language_model()
        return found if lm is None else {"lm": lm, **found}


_SETTINGS: Final = ("concurrency", "max_errors")
"""Keys that are settings of `dspex.configure` as well."""

_TOGETHER: Final[Mapping[str, tuple[str, ...]]] = {
    "model": ("api_base", "api_key_env", "settings"),
    "api_base": ("api_key_env",),
}
"""What is said of a key in a lower place is for that place's own, not for another."""


def configuration(
    environ: Mapping[str, str],
    *,
    flags: Mapping[str, Any] | None = None,
    start: Path | None = None,
    commands: CommandOptions | None = None,
) -> Configuration:
    """Read everything and check it whole.

    Flags win over variables, these over the project's file, that over the user's own,
    and that over the defaults. Address, key and settings of a model are for the one of
    the same place or a lower one: who names another one higher up says its own, and an
    address gets no key that was said for another address.

    Args:
        environ: The environment. `DSPEX_CONFIG` names a file in place of the project's.
        flags: Values by key; `None` says nothing.
        start: The folder of the project's file, the current one by default.
        commands: Knows the options of commands, for their tables and variables;
            without it, the variables are left alone, and tables are taken as they are.

    Raises:
        ConfigurationError: Something is wrong. The text has a line for each fault, with
            file, line and key, and `faults` has them as values.
    """
    named = environ.get(environment.FILE)
    gathering = _Gathering(commands=commands)
    readers = (
        lambda: _of_user(environ),
        lambda: _of_project(start or Path.cwd(), named),
    )
    read = [file.path for one in readers if (file := gathering.add_read(one))]
    gathering.add_environment(environ)
    gathering.add_flags(flags or {})
    return gathering.made(tuple(read))


def load_configuration(
    *,
    start: str | Path | None = None,
    environ: Mapping[str, str] | None = None,
    **values: Any,
) -> Configuration:
    """Read variables and files, as the command line does.

    dspex as a library reads none of them by itself (but `DSPEX_HOME`, and a provider's
    key when it is needed); this is how a program asks for it:

        found = dspex.load_configuration()
        dspex.configure(**found.settings())
        with dspex.Runtime(found.config):
            ...

    Args:
        start: The folder of the project's file, the current one by default.
        environ: The environment; the process's own by default.
        values: Values by key, which win over everything, as flags do.

    Raises:
        ConfigurationError: Something is wrong; the text has a line for each fault, with
            file, line and key.
    """
    return configuration(
        os.environ if environ is None else environ,
        flags=values,
        start=None if start is None else Path(start),
    )


def checked_file(path: Path, commands: CommandOptions | None = None) -> Configuration:
    """Check one file by itself, as if it were the project's.

    Raises:
        ConfigurationError: As for `configuration`.
    """
    gathering = _Gathering(commands=commands)
    gathering.add_file(_read_project(path))
    return gathering.made((path,))


def _of_user(environ: Mapping[str, str]) -> ConfigurationFile | None:
    path = files.of_user(environ)
    return files.read(path, Source.USER) if files.is_there(path) else None


def _of_project(start: Path, named: str | None) -> ConfigurationFile | None:
    if not named:
        return files.of_project(start)
    try:
        path = values.path(named)
    except ValueError as error:
        origin = Origin(source=Source.ENVIRONMENT, place=environment.FILE)
        raise WrongConfigurationError(
            [Fault(origin=origin, key="", text=str(error))]
        ) from error
    return _read_project(path)


def _read_project(path: Path) -> ConfigurationFile:
    if path.name == "pyproject.toml":
        found = files.of_pyproject(path)
        if found is not None:
            return found
    return files.read(path, Source.PROJECT)


@dataclass(slots=True)
class _Gathering:
    """Values and faults, as they come; a later source wins."""

    commands: CommandOptions | None
    said: dict[str, Value] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def add_read(
        self, read: Callable[[], ConfigurationFile | None]
    ) -> ConfigurationFile | None:
        """Add a file that may not be there; one that cannot be read is a fault."""
        try:
            file = read()
        except WrongConfigurationError as error:
            self.faults += error.faults
            return None
        if file is not None:
            self.add_file(file)
        return file

    def add_file(self, file: ConfigurationFile) -> None:
        for name, raw in file.found.items():
            if name in COMMANDS:
                self._add_command(name, raw, file)
            else:
                self._add(name, raw, file.origin(name), folder=file.path.parent)

    def add_environment(self, environ: Mapping[str, str]) -> None:
        options = [
            (command, option)
            for command in COMMANDS
            for option in (self.commands.names(command) if self.commands else ())
        ]
        self.faults += environment.faults(environ, options)
        for key, raw, origin in environment.said(environ):
            self._add(key.name, raw, origin)
        if self.commands is None:
            return
        said = environment.of_commands(environ, options, self.commands.is_text)
        for command, option, raw, origin in said:
            self._add_option(command, option, raw, origin)

    def add_flags(self, flags: Mapping[str, Any]) -> None:
        for name, raw in flags.items():
            if raw is not None:
                flag = f"--{name.replace('_', '-')}"
                self._add(name, raw, Origin(source=Source.FLAG, place=flag))

    def made(self, read: tuple[Path, ...]) -> Configuration:
        self.faults += _key_for_a_stranger(self.said)
        if self.faults:
            raise WrongConfigurationError(self.faults)
        everything = {
            name: self.said.get(name, Value(value=key.default, origin=NOBODY))
            for name, key in keys().items()
        }
        return Configuration(values={**everything, **self.said}, read=read)

    def _add(
        self, name: str, raw: Any, origin: Origin, *, folder: Path | None = None
    ) -> None:
        key = keys().get(name)
        if values.looks_secret(name):
            self._refuse(origin, MASK, values.NO_SECRETS)
        elif key is None:
            self._refuse(origin, name, unknown(name, (*keys(), *COMMANDS)))
        elif values.looks_secret(raw):
            self._refuse(origin, name, values.NO_SECRETS)
        else:
            try:
                value = key.read(raw)
            except ValueError as error:
                self._refuse(origin, name, str(error))
                return
            if isinstance(value, Path) and folder is not None:
                value = folder / value
            self._take(name, Value(value=value, origin=origin))

    def _take(self, name: str, value: Value) -> None:
        for other in _TOGETHER.get(name, ()):
            one = self.said.get(other)
            if one is not None and one.origin.source < value.origin.source:
                del self.said[other]
        self.said[name] = value

    def _add_command(self, command: str, raw: Any, file: ConfigurationFile) -> None:
        if not isinstance(raw, Mapping):
            self._refuse(
                file.origin(command),
                command,
                f"this is a command; expected a table. Write [{command}].",
            )
            return
        for option, value in raw.items():
            self._add_option(command, option, value, file.origin(command, option))

    def _add_option(self, command: str, option: str, raw: Any, origin: Origin) -> None:
        name = f"{command}.{option}"
        if values.looks_secret(option):
            self._refuse(origin, f"{command}.{MASK}", values.NO_SECRETS)
        elif values.looks_secret(raw):
            self._refuse(origin, name, values.NO_SECRETS)
        elif wrong := self.commands and self.commands.fault(command, option, raw):
            self._refuse(origin, name, wrong)
        else:
            self.said[name] = Value(value=raw, origin=origin)

    def _refuse(self, origin: Origin, key: str, text: str) -> None:
        self.faults.append(Fault(origin=origin, key=key, text=text))


def _key_for_a_stranger(said: Mapping[str, Value]) -> Collection[Fault]:
    """Refuse a project's file that takes a key of the user's to an address of its own.

    Whoever enters a folder that somebody else made has agreed to nothing; so only the
    user's own file, the environment or a flag may say that a key goes to an address.
    """
    address, key = said.get("api_base"), said.get("api_key_env")
    if address is None or key is None:
        return ()
    is_here = is_loopback(urlsplit(address.value).hostname or "")
    is_said_by_hand = key.origin.source > Source.PROJECT
    if is_here or is_said_by_hand or address.origin.source is not Source.PROJECT:
        return ()
    text = (
        f"the file of a project names an address ({address.origin}) that a key would "
        "be taken to; expected that you say so yourself. Set DSPEX_API_KEY_ENV="
        f"{key.value}, or put both into your own file."
    )
    return (Fault(origin=key.origin, key="api_key_env", text=text),)
