"""Every key of the configuration: its name, its kind, and what it is for.

The keys that belong to a runtime are the fields of `Config`, so a new field is a new
key. Pure: nothing here reads a file or the environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Final, get_type_hints

from dspex.client.proxies import Proxies
from dspex.configuration import values
from dspex.core import defaults
from dspex.core.setting_names import is_secret
from dspex.runtime.config import Config

PROGRESS: Final = ("auto", "always", "never")
"""When the progress of an evaluation is shown; auto is on a terminal."""

COMMANDS: Final = ("demo", "evaluate", "predict", "repl", "resume", "serve")
"""The commands that may have a table with defaults for their options."""

ELSEWHERE: Final = {
    "lm": "model",
    "num_threads": "concurrency",
    "base_url": "api_base",
    "display_progress": "progress",
    "temperature": "settings.temperature",
    "max_tokens": "settings.max_tokens",
    "runtime": "max_in_flight, persist and so on, each by itself",
}
"""Names that people look for, and how the key is called here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key."""

    name: str
    """Its name in a file."""
    read: Callable[[Any], Any]
    """Makes a value of TOML's one of the key's own; raises `ValueError` with what was
    expected and how to mend it."""
    default: Any = None
    """What counts when nobody says it."""
    is_text: bool = False
    """Whether a variable's text is taken as it is, and not read as TOML."""
    of_runtime: bool = False
    """Whether it is a field of `Config`."""

    @property
    def variable(self) -> str:
        """The variable of the environment that says it."""
        return f"DSPEX_{self.name.upper()}"


@cache
def keys() -> Mapping[str, Key]:
    """Return every key by its name, those of the model first."""
    hints = get_type_hints(Config)
    of_runtime = [_of_field(one, hints[one.name]) for one in fields(Config)]
    return {key.name: key for key in (*_OF_COMMANDS, *of_runtime)}


def unknown(name: str, known: tuple[str, ...]) -> str:
    """Say of a name that it is no key, and which one may be meant.

    Example:
        >>> unknown("max_inflight", ("max_in_flight", "persist"))
        "there is no such key; did you mean 'max_in_flight'?"
    """
    if is_secret(name):
        return values.NO_SECRETS
    if name in ELSEWHERE:
        return f"there is no such key; here it is {ELSEWHERE[name]}."
    close = get_close_matches(name, known, n=1)
    if close:
        return f"there is no such key; did you mean {close[0]!r}?"
    return f"there is no such key; the keys are: {', '.join(sorted(known))}."


def meant(variable: str, known: tuple[str, ...]) -> str | None:
    """Return the variable that somebody meant by one that says nothing.

    Others may have variables of this prefix as well (Kubernetes makes `DSPEX_PORT` of
    a service named `dspex`), so only one that is nearly a known one is a mistake.

    Example:
        >>> meant("DSPEX_MAX_INFLIGHT", ("DSPEX_MAX_IN_FLIGHT",))
        'DSPEX_MAX_IN_FLIGHT'
        >>> meant("DSPEX_PORT", ("DSPEX_MAX_IN_FLIGHT",)) is None
        True
    """
    close = get_close_matches(variable, known, n=1, cutoff=0.88)
    return close[0] if close else None


_OF_COMMANDS: Final = (
    Key(name="model", read=values.text, is_text=True),
    Key(name="api_base", read=values.address, is_text=True),
    Key(name="api_key_env", read=values.variable_name, is_text=True),
    Key(name="settings", read=values.settings, default={}),
    Key(
        name="concurrency",
        read=values.count,
        default=defaults.CONCURRENCY,
    ),
    Key(name="max_errors", read=values.count, default=defaults.MAX_ERRORS),
    Key(
        name="progress",
        read=values.one_of(PROGRESS),
        default="auto",
        is_text=True,
    ),
)


def _of_field(field: Field[Any], hint: Any) -> Key:
    kind, is_text = _kind(field.name, hint)
    return Key(
        name=field.name,
        read=values.by_config(field.name, kind),
        default=_default(field),
        is_text=is_text,
        of_runtime=True,
    )


def _kind(name: str, hint: Any) -> tuple[Callable[[Any], Any], bool]:
    """Return what reads a field of this type, and whether it is a plain text."""
    known: dict[Any, tuple[Callable[[Any], Any], bool]] = {
        bool: (values.flag, False),
        int: (values.whole, False),
        float: (values.number, False),
        str: (values.text, True),
        Path | None: (values.path, True),
        Proxies | None: (values.proxies, False),
    }
    if name == "prices":
        return values.prices, False
    return known[hint]


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default
