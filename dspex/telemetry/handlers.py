"""Handlers of the process, in the words of Erlang's `:telemetry`.

A handler is called in the thread of what it hears of, so it must be quick
(`supervisors.QueuedHandler` is for a slow one); one that raises is detached and logged
once. Whoever wants the events of one runtime only attaches to `runtime.events`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

# Tell of tools, programs and models from now on, also where none was made yet.
import dspex.programs.tool_runner
import dspex.runtime.telling  # noqa: F401 - said above
from supervisors.events import EVERYWHERE, Handler, Name


def attach(handler_id: Hashable, name: Name, handler: Handler) -> None:
    """Call a handler for each event whose name is, or begins with, `name`.

    Args:
        handler_id: What it is detached by; unique in the process.
        name: A name of `dspex.core.events` or `supervisors.events`, or its beginning.
        handler: Called with each `supervisors.Event`.

    Raises:
        ConfigError: Another handler has that id.

    Example:
        >>> import dspex
        >>> from dspex.core.events import PROGRAM_STOP
        >>> class Double(dspex.Program):
        ...     def forward(self, n):
        ...         return 2 * n
        >>> names = []
        >>> def note(event):
        ...     names.append(event.metadata["name"])
        >>> attach("names", PROGRAM_STOP, note)
        >>> Double()(n=2)
        4
        >>> names
        ['Double']
        >>> detach("names")
        True
    """
    EVERYWHERE.attach(handler, name, handler_id=handler_id)


def attach_many(handler_id: Hashable, names: Iterable[Name], handler: Handler) -> None:
    """Call a handler once for each event whose name begins with one of `names`.

    Raises:
        ConfigError: Another handler has that id.
    """
    EVERYWHERE.attach_many(handler, names, handler_id=handler_id)


def detach(handler_id: Hashable) -> bool:
    """Stop calling the handler of that id; `False` when there is none."""
    return EVERYWHERE.detach(handler_id)
