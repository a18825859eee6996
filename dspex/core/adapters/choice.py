"""Which adapter a call uses: said by the user, by the model, or the default."""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping
from typing import Final

from dspex.core.adapters.base import Adapter
from dspex.core.adapters.chat import ChatAdapter
from dspex.core.adapters.json import JSONAdapter
from dspex.core.adapters.line import LineAdapter
from dspex.core.adapters.xml import XMLAdapter
from dspex.core.errors import ConfigurationError

ADAPTERS: Final[Mapping[str, type[Adapter]]] = types.MappingProxyType(
    {kind.name: kind for kind in (ChatAdapter, JSONAdapter, LineAdapter, XMLAdapter)}
)
"""The adapters that have a name."""


def adapter_named(name: str) -> Adapter:
    """Return the adapter of a name.

    Raises:
        ConfigurationError: When no adapter has that name.

    Example:
        >>> adapter_named("line").name
        'line'
    """
    if name not in ADAPTERS:
        known = ", ".join(map(repr, ADAPTERS))
        close = difflib.get_close_matches(name, ADAPTERS, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else "Pass one of those names."
        raise ConfigurationError(
            f"no adapter {name!r}; the adapters are: {known}. {hint}"
        )
    return ADAPTERS[name]()


def chosen_adapter(configured: Adapter | str | None, wanted: str | None) -> Adapter:
    """Return the adapter of a call.

    Args:
        configured: What the user said, in `configure()` or `context()`; it wins.
        wanted: What the model asks for; `None` means the default, "chat".

    Raises:
        ConfigurationError: When a name is not known.
    """
    if isinstance(configured, Adapter):
        return configured
    return adapter_named(configured or wanted or ChatAdapter.name)
