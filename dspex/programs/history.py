"""Which programs a call belongs to, and where it is remembered: `inspect_history`.

A call is remembered by the model, by each program it was made in, and by the process.
The programs travel in a context variable, so threads and tasks that run in a copy of
the context belong to them too.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final, Protocol, TextIO

from dspex.core import defaults
from dspex.core.blocks import put_back
from dspex.core.history import Exchanged, History
from dspex.programs.settings import in_force


class Keeps(Protocol):
    """Whatever keeps calls: every history."""

    def add(self, call: Exchanged, most: int | None = None) -> None:
        """Keep a call, and at most so many from now on."""


class Remembers(Protocol):
    """Whatever has a history: every program."""

    @property
    def history(self) -> Keeps:
        """Where its calls are kept."""


GLOBAL_HISTORY: Final = History(defaults.HISTORY)
"""The last calls of this process, whoever made them."""

# Innermost last.
_callers: ContextVar[tuple[Remembers, ...]] = ContextVar("dspex_callers", default=())
_adapter: ContextVar[str | None] = ContextVar("dspex_adapter", default=None)


class inside:  # noqa: N801 - used as a function; a generator would cost twice as much
    """Have a block belong to a program, and to those it runs in already."""

    __slots__ = ("_program", "_token")

    def __init__(self, program: Remembers) -> None:
        self._program = program

    def __enter__(self) -> None:
        """Enter the program."""
        self._token = _callers.set((*_callers.get(), self._program))

    def __exit__(self, *exc_info: object) -> None:
        """Leave it."""
        put_back(_callers, self._token)


def is_inside(program: object) -> bool:
    """Say whether this program is the innermost one around this code."""
    callers = _callers.get()
    return bool(callers) and callers[-1] is program


def caller_here() -> Remembers | None:
    """Return the innermost program around this code, if there is one."""
    callers = _callers.get()
    return callers[-1] if callers else None


class written_by:  # noqa: N801 - used as a function, like `inside`
    """Say which adapter writes the calls of a block."""

    __slots__ = ("_name", "_token")

    def __init__(self, adapter: str) -> None:
        self._name = adapter

    def __enter__(self) -> None:
        """Enter the block."""
        self._token = _adapter.set(self._name)

    def __exit__(self, *exc_info: object) -> None:
        """Leave it."""
        put_back(_adapter, self._token)


def adapter_here() -> str | None:
    """Return the adapter that writes the calls of this code, if one does."""
    return _adapter.get()


def remember(call: Exchanged, own: History | None = None) -> None:
    """Keep a call in the histories it belongs to, unless there are to be none.

    Args:
        call: The call.
        own: The history of the model, if it has one.
    """
    if in_force("disable_history"):
        return
    GLOBAL_HISTORY.add(call)
    most = in_force("max_history_size")
    if own is not None:
        own.add(call, most)
    for program in _callers.get():
        program.history.add(call, most)


def inspect_history(n: int = 1, file: TextIO | None = None) -> None:
    """Print the last calls of this process: chats, answers, model and adapter.

    Args:
        n: How many, the latest last.
        file: Where to; `None` is the standard output.

    Example:
        >>> inspect_history(0)
        no call yet
    """
    pretty_print_history(GLOBAL_HISTORY, n, file)


def pretty_print_history(
    history: Sequence[Mapping[str, Any]], n: int = 1, file: TextIO | None = None
) -> None:
    """Print the last `n` entries of a history.

    What the output has no characters for is told by their numbers.
    """
    out = sys.stdout if file is None else file
    encoding = getattr(out, "encoding", None) or "utf-8"
    text = shown(history[-n:] if n > 0 else ())
    out.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def shown(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return entries of a history as a text for people.

    Pictures, sounds and files are told by kind and length, not shown.
    """
    return "\n\n".join(map(_entry, entries)) or "no call yet"


def _entry(entry: Mapping[str, Any]) -> str:
    adapter = f", {entry['adapter']} adapter" if entry.get("adapter") else ""
    head = f"[{entry.get('timestamp', 'unknown time')}] {entry.get('model')}{adapter}"
    turns = entry.get("messages") or [{"role": "user", "content": entry.get("prompt")}]
    asked = [
        _block(f"{turn['role'].capitalize()} message:", _said(turn)) for turn in turns
    ]
    outputs = entry.get("outputs") or [""]
    more = f"(and {len(outputs) - 1} other completions)" if len(outputs) > 1 else ""
    answer = _block("Response:", _answer(outputs[0]))
    return "\n\n".join(part for part in (head, *asked, answer, more) if part)


def _block(title: str, text: str) -> str:
    return f"{title}\n{text}"


def _answer(output: Any) -> str:
    if isinstance(output, Mapping):
        return _said({"content": output.get("text"), **output})
    return str(output).strip()


def _said(turn: Mapping[str, Any]) -> str:
    """Return the words of a turn, and a line for each thing that is no text."""
    content = turn.get("content")
    parts = content if isinstance(content, list | tuple) else [content]
    lines = [_part(part) for part in parts if part is not None]
    calls = turn.get("tool_calls") or ()
    return "\n".join(line for line in (*lines, *map(_tool_call, calls)) if line)


def _part(part: Any) -> str:
    if not isinstance(part, Mapping):
        return str(part).strip()
    if part.get("type") == "text":
        return str(part.get("text", "")).strip()
    kind = str(part.get("type", "part"))
    return f"<{kind}, {_length(part.get(kind, part))} characters>"


def _length(value: Any) -> int:
    """Return how much text a part holds, however deep."""
    if isinstance(value, Mapping):
        return sum(map(_length, value.values()))
    return len(value) if isinstance(value, str) else 0


def _tool_call(call: Any) -> str:
    function = call.get("function", call) if isinstance(call, Mapping) else call
    if not isinstance(function, Mapping):
        return f"Tool call: {function}"
    arguments = function.get("arguments", function.get("args", ""))
    return f"Tool call: {function.get('name', '?')}({arguments})"
