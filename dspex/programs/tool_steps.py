"""The tool calls of one run: each gives an observation, whatever happens."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any, Final

from dspex.core.adapters.render import plain_value, whole_value
from dspex.core.errors import LMCancelledError, RuntimeClosedError, ToolArgumentError
from dspex.core.safe_text import safe_text, text_of_error
from dspex.core.spawner import the_spawner
from dspex.core.types.tool import Tool
from dspex.programs.settings import context

LONGEST: Final = 400
"""Characters of an error that a model is shown."""


class ToolSteps:
    """Calls tools for a model, and remembers what must not be run again.

    Args:
        tools: The tools by name.
    """

    def __init__(self, tools: Mapping[str, Tool]) -> None:
        self._tools = tools
        # What became of each call of a tool marked `retry=False`.
        self._done: dict[str, str] = {}

    def observe(self, name: str, arguments: Any) -> Any:
        """Call a tool; return what it returns, or what went wrong as a text.

        Raises:
            LMCancelledError: When the work this belongs to was given up.
            RuntimeClosedError: When the runtime has ended.
        """
        if (refusal := self._refusal(name, arguments)) is not None:
            return refusal
        tool = self._tools[name]
        try:
            observation = _writable(tool(**arguments))
        except (LMCancelledError, RuntimeClosedError):
            raise
        except Exception as error:  # noqa: BLE001 - a tool may raise anything; it is told
            return self._failed(tool, arguments, error)
        return self._remembered(tool, arguments, observation)

    async def aobserve(self, name: str, arguments: Any) -> Any:
        """The same for coroutines; a plain function runs in a thread."""
        if (refusal := self._refusal(name, arguments)) is not None:
            return refusal
        tool = self._tools[name]
        try:
            if is_async(tool):
                observation = _writable(await tool.acall(**arguments))
            else:
                observation = await the_spawner().in_thread(
                    lambda: _writable(_called(tool, arguments)), label=f"tool {name}"
                )
        except (LMCancelledError, RuntimeClosedError):
            raise
        except Exception as error:  # noqa: BLE001 - a tool may raise anything; it is told
            return self._failed(tool, arguments, error)
        return self._remembered(tool, arguments, observation)

    def _refusal(self, name: str, arguments: Any) -> str | None:
        """Say why a call is not even tried, if it is not."""
        if name not in self._tools:
            return (
                f"There is no tool {name!r}; the tools are: {', '.join(self._tools)}."
            )
        if not isinstance(arguments, Mapping):
            return (
                f"The arguments of {name} were {type(arguments).__name__}; a JSON "
                "object with an entry for each argument is wanted."
            )
        earlier = None
        if not self._tools[name].retry:
            earlier = self._done.get(_key(name, arguments))
        if earlier is None:
            return None
        return (
            f"{name} was called with these arguments before and is never run again. "
            f"What came then: {earlier}"
        )

    def _failed(
        self, tool: Tool, arguments: Mapping[str, Any], error: Exception
    ) -> str:
        told = f"Execution error in {tool.name}: {told_error(error)}"
        # Wrong arguments: nothing was run, so the next try is the first.
        if not isinstance(error, ToolArgumentError):
            self._remembered(tool, arguments, told)
        return told

    def _remembered(
        self, tool: Tool, arguments: Mapping[str, Any], observation: Any
    ) -> Any:
        if not tool.retry:
            self._done[_key(str(tool.name), arguments)] = str(observation)[:LONGEST]
        return observation


def _called(tool: Tool, arguments: Mapping[str, Any]) -> Any:
    """Call a tool in a thread, where no loop is held up by what it may await."""
    with context(allow_tool_async_sync_conversion=True):
        return tool(**arguments)


def _writable(observation: Any) -> Any:
    """Return what a tool gave, if a prompt can hold it.

    Raises:
        Exception: It cannot; the next step would end the run.
    """
    if not isinstance(observation, str):
        whole_value(observation)
    return observation


def told_error(error: BaseException) -> str:
    """Return an error as a model is told it: type and first line, no traceback.

    A traceback would show it code and values that are none of its business.
    """
    first, _, _ = text_of_error(error).strip().partition("\n")
    said = safe_text(first)
    shown = said if len(said) <= LONGEST else f"{said[:LONGEST]}..."
    name = type(error).__name__
    return f"{name}: {shown}" if shown else name


def is_async(tool: Tool) -> bool:
    """Say whether a tool's function is a coroutine function, or an object with one."""
    function: Any = tool.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - asked what it is, not whether
    )


def _key(name: str, arguments: Mapping[str, Any]) -> str:
    return f"{name} {json.dumps(plain_value(arguments), sort_keys=True)}"
