"""What programs run under: `configure(...)`, `with context(...)`, `settings`.

There is one default for the process and one overlay per context. `configure` changes
the default, `context` the overlay; reading looks at the overlay first. A thread sees
the overlay of the context it runs in, so whoever starts threads copies the context.
"""

from __future__ import annotations

import copy
import difflib
import threading
import types
from collections.abc import Mapping, Sequence
from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Self

from dspex.core import defaults
from dspex.core.adapters import Adapter, adapter_named
from dspex.core.blocks import put_back
from dspex.core.callbacks import use_global_callbacks
from dspex.core.errors import ConfigurationError
from dspex.core.foreign import refuse_dspy
from dspex.core.lm import LanguageModel


def is_language_model(value: Any) -> bool:
    """Say whether something can be called as a language model."""
    return not isinstance(value, type) and callable(getattr(value, "complete", None))


def check_lm(lm: Any, name: str = "lm") -> None:
    """Refuse what is no language model, with the line to write instead.

    Args:
        lm: What may be one; `None` passes.
        name: What the argument is called, for that line.

    Raises:
        ConfigurationError: When `lm` is a text, is DSPy's, or has no `complete()`.
    """
    refuse_dspy(lm, name)
    if isinstance(lm, str):
        raise ConfigurationError(
            f"LM must be an object, and {lm!r} is a text; a model is made of its name. "
            f"Write {name}=dspex.LM({lm!r})."
        )
    if lm is not None and not is_language_model(lm):
        raise ConfigurationError(
            f"LM must be an object with a method complete(); {type(lm).__name__!r} has "
            f'none. Write {name}=dspex.LM("openai/gpt-4o-mini").'
        )


def check_adapter(adapter: Any) -> None:
    """Refuse what is no adapter and no name of one, with the line to write instead.

    Raises:
        ConfigurationError: Then.
    """
    refuse_dspy(adapter, "adapter")
    if isinstance(adapter, str):
        adapter_named(adapter)
    elif not isinstance(adapter, Adapter | None):
        raise ConfigurationError(
            f"adapter={adapter!r} is no adapter; expected an Adapter object or a name. "
            "Write adapter='chat' or adapter=dspex.ChatAdapter()."
        )


def _check_count(key: str, value: Any, least: int = 1) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigurationError(
            f"{key}={value!r} is no count; expected a whole number from {least} on. "
            f"Pass {key}={least} for the least."
        )


def _check_list(key: str, value: Any, use: str) -> None:
    if value is not None and not isinstance(value, list | tuple):
        raise ConfigurationError(
            f"{key}={value!r} is no list; {use}. Pass {key}=[], or None for none."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One whole set of settings. A key that is wrong is refused when it is set."""

    lm: LanguageModel | None = None
    """The language model of every predictor that has none of its own."""
    adapter: Adapter | str | None = None
    """An adapter or its name; `None` leaves the choice to the model, then to "chat"."""
    trace: list[Any] | None = None
    """Where predictors append (predictor, inputs, prediction); `None` for nowhere."""
    callbacks: Sequence[Any] | None = field(default_factory=list)
    """Objects that want to hear of every call; see `BaseCallback`."""
    concurrency: int = defaults.CONCURRENCY
    """Calls in flight at once. `num_threads` is accepted as DSPy's name."""
    max_errors: int = defaults.MAX_ERRORS
    """Failed examples after which an evaluation or an optimisation gives up."""
    track_usage: bool = False
    """Whether a program's prediction carries the usage of all calls below it."""
    provide_traceback: bool = False
    """Whether a failed example is reported with its traceback."""
    disable_history: bool = False
    """Whether calls are kept in no history, of a model, a program or the process."""
    max_history_size: int = defaults.HISTORY
    """Calls that each model and each program remembers; 0 for none."""
    max_trace_size: int = defaults.TRACE
    """Steps a trace holds; the oldest goes when there are more. 0 for none."""
    warn_on_type_mismatch: bool = True
    """Whether a warning is logged for an input that is not of its field's type."""
    async_max_workers: int = defaults.ASYNC_WORKERS
    """Threads that `asyncify` uses at a time, for each event loop."""
    allow_tool_async_sync_conversion: bool = False
    """Whether a tool that is a coroutine may be called by code that is none."""

    def __post_init__(self) -> None:
        check_lm(self.lm)
        check_adapter(self.adapter)
        _check_count("concurrency", self.concurrency)
        _check_count("max_errors", self.max_errors)
        _check_count("async_max_workers", self.async_max_workers)
        _check_count("max_history_size", self.max_history_size, least=0)
        _check_count("max_trace_size", self.max_trace_size, least=0)
        _check_list("callbacks", self.callbacks, "each of them hears of every call")
        for number, callback in enumerate(self.callbacks or ()):
            refuse_dspy(callback, f"callbacks[{number}]")
        if not isinstance(self.trace, list | None):
            raise ConfigurationError(
                f"trace={self.trace!r} is no list; predictors append to it. Pass "
                "trace=[], or None for no trace."
            )


ALIASES: Final = {"num_threads": "concurrency"}
"""DSPy's names of our keys."""

ABSENT: Final = {
    "branch_idx": "nothing reads it. Leave it out",
    "caller_modules": "a program keeps its calls in program.history. Leave it out",
    "caller_predict": "a program keeps its calls in program.history. Leave it out",
    "interpreter_factory": "no program of dspex runs code. Leave it out",
    "load": "settings stand in your code, and nothing is unpickled. Call configure()",
    "rm": "there are no retrievers. Call your search in forward()",
    "save": "settings stand in your code, and nothing is pickled. Call configure()",
    "usage_tracker": "usage is counted by context. Write with dspex.track_usage()",
}
"""DSPy's keys that are none here, and why."""

KEYS: Final = tuple(each.name for each in fields(Settings))
"""All keys, in order."""

_overlay: ContextVar[Mapping[str, Any]] = ContextVar(
    "dspex_settings", default=types.MappingProxyType({})
)
# Two threads may configure at once; each must build on what the other has set.
_lock = threading.Lock()
_default = Settings()


def configure(**changes: Any) -> None:
    """Change the settings of the whole process.

    Inside a `with context(...)` the overlay still wins for the keys it has.

    Raises:
        ConfigurationError: When a key is unknown or a value makes no sense.
    """
    global _default  # noqa: PLW0603 - the one default of the process
    named = _named(changes)
    with _lock:
        _default = replace(_default, **named)


class context(ContextDecorator):  # noqa: N801 - DSPy's name; it is used as a function
    """Change settings for a block of code and what it calls.

    It decorates a function, too. A block that is left in another context than the one
    it was entered in, as in a generator that a web server drops, changes nothing there.

    Raises:
        ConfigurationError: When a key is unknown or a value makes no sense.
    """

    def __init__(self, **changes: Any) -> None:
        self._changes = _named(changes)
        replace(_default, **self._changes)  # refuses wrong values before the block
        self._token: Token[Mapping[str, Any]] | None = None

    def _recreate_cm(self) -> Self:
        """Return another one, for the next call of a decorated function."""
        return copy.copy(self)

    def __enter__(self) -> None:
        """Enter the block."""
        self._token = _overlay.set({**_overlay.get(), **self._changes})

    def __exit__(self, *exc_info: object) -> None:
        """Leave it."""
        token, self._token = self._token, None
        if token is not None:
            put_back(_overlay, token)


def ambient() -> Settings:
    """Return the settings in force here, as a value that no longer changes."""
    return replace(_default, **_overlay.get())


class SettingsView:
    """Reads the settings in force where it is asked: `settings.lm`, `settings["lm"]`.

    It has `configure` and `context` too, because DSPy's users call them here.
    """

    __slots__ = ()

    configure = staticmethod(configure)
    context = staticmethod(context)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a setting, or `default` when there is no such key."""
        if key not in self:
            return default
        return self[key]

    def copy(self) -> dict[str, Any]:
        """Return all settings in force, by name."""
        return {key: self[key] for key in KEYS}

    @property
    def config(self) -> dict[str, Any]:
        """All settings in force, by name, as DSPy calls them."""
        return self.copy()

    def __getitem__(self, key: str) -> Any:
        return in_force(_checked_key(key))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self[name]
        except ConfigurationError as error:
            raise AttributeError(str(error)) from None

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"settings are not assigned to; {name!r} was. Call "
            f"dspex.configure({name}=...), or use: with dspex.context({name}=...)."
        )

    def __contains__(self, key: object) -> bool:
        return key in KEYS or key in ALIASES

    def __repr__(self) -> str:
        shown = ", ".join(f"{key}={self[key]!r}" for key in KEYS)
        return f"settings({shown})"


def in_force(key: str) -> Any:
    """Return one of `KEYS` as it is in force here; the quick way for our own code."""
    overlay = _overlay.get()
    return overlay[key] if key in overlay else getattr(_default, key)


def _reader(key: str) -> property:
    return property(lambda _: in_force(key))


# Found before `__getattr__`, which takes four times as long.
for _key in KEYS:
    setattr(SettingsView, _key, _reader(_key))

settings: Final = SettingsView()

use_global_callbacks(lambda: in_force("callbacks") or ())


def _named(changes: Mapping[str, Any]) -> dict[str, Any]:
    named = {_checked_key(key): value for key, value in changes.items()}
    if len(named) < len(changes):
        raise ConfigurationError(
            "concurrency and num_threads are two names of one setting; both were "
            "given. Keep one of them."
        )
    return named


def _checked_key(key: str) -> str:
    name = ALIASES.get(key, key)
    if name in KEYS:
        return name
    if key in ABSENT:
        raise ConfigurationError(f"dspex has no setting {key!r}; {ABSENT[key]}.")
    known = (*KEYS, *ALIASES)
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else "Pass one of those."
    raise ConfigurationError(
        f"no setting {key!r}; the settings are: {', '.join(known)}. {hint}"
    )
