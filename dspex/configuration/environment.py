"""What the variables `DSPEX_...` say. Pure: the caller gives the environment."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from dspex.configuration import values
from dspex.configuration.faults import Fault
from dspex.configuration.keys import Key, keys, meant
from dspex.configuration.origin import Origin, Source
from dspex.core.setting_names import is_secret

PREFIX: Final = "DSPEX_"
"""How the variables of dspex begin."""

FILE: Final = "DSPEX_CONFIG"
"""The variable that names the file to read in place of the project's."""

OTHERS: Final = (FILE, "DSPEX_TRACEBACK", "DSPEX_LOCAL_API_KEY")
"""Variables that are no keys, and are read where they are needed."""


def said(environ: Mapping[str, str]) -> Iterator[tuple[Key, Any, Origin]]:
    """Yield what the environment says: the key, its raw value, the variable.

    A text is taken as it is; any other value is read as TOML, so `DSPEX_PERSIST=false`
    is a boolean, and `DSPEX_SETTINGS='{ temperature = 0 }'` a table. An empty variable
    says nothing.
    """
    for key in keys().values():
        raw = environ.get(key.variable)
        if raw:
            origin = Origin(source=Source.ENVIRONMENT, place=key.variable)
            yield key, raw if key.is_text else _as_toml(raw), origin


def of_commands(
    environ: Mapping[str, str],
    options: Iterable[tuple[str, str]],
    is_text: Callable[[str, str], bool],
) -> Iterator[tuple[str, str, Any, Origin]]:
    """Yield what the environment says of options: command, option, value, variable.

    `DSPEX_EVALUATE_TRIALS=3` is `trials` of `dspex evaluate`. As for keys, a text is
    taken as it is: a run may be called `1.10`.
    """
    for command, option in options:
        name = _variable(command, option)
        raw = environ.get(name)
        if raw and not raw.startswith(_OF_KUBERNETES):
            origin = Origin(source=Source.ENVIRONMENT, place=name)
            value = raw if is_text(command, option) else _as_toml(raw)
            yield command, option, value, origin


def faults(
    environ: Mapping[str, str], options: Iterable[tuple[str, str]] = ()
) -> Iterator[Fault]:
    """Yield what is wrong with the names: a secret, or a key spelled nearly right."""
    known = (
        *(key.variable for key in keys().values()),
        *(_variable(command, option) for command, option in options),
        *OTHERS,
    )
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in known:
            continue
        origin = Origin(source=Source.ENVIRONMENT, place=name)
        if name == "DSPEX_API_KEY" or (
            is_secret(name) and values.looks_secret(environ[name])
        ):
            yield Fault(origin=origin, key="api_key", text=_NO_KEY)
        elif (close := meant(name, known)) is not None:
            yield Fault(
                origin=origin,
                key=name.removeprefix(PREFIX).lower(),
                text=f"there is no such key; did you mean {close}?",
            )


_NO_KEY: Final = (
    "nothing reads a key from here; expected the provider's own variable, such as "
    "OPENAI_API_KEY. Or name yours: DSPEX_API_KEY_ENV=MY_KEY."
)


_OF_KUBERNETES: Final = ("tcp://", "udp://", "sctp://")
"""How the `..._PORT` begins that a pod gets for each service, such as `dspex-serve`."""


def _variable(command: str, option: str) -> str:
    return f"{PREFIX}{command}_{option}".upper()


def _as_toml(text: str) -> Any:
    """Read a value of TOML; what is none stays a text, and its key refuses it."""
    try:
        found = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        # Also a number of too many digits, and brackets in brackets without end.
        return text
    is_one = found.keys() == {"value"} and not values.is_deep(found)
    return found["value"] if is_one else text
