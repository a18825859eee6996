"""What surrounds each call of a tool in a program: callbacks, settings, and the mark.

The module supplies itself when it is imported, as the settings do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from dspex.core.callbacks import Announced, callbacks_of
from dspex.core.once import began_unrepeatable
from dspex.core.types.tool import Tool, use_tool_runner
from dspex.programs.settings import settings


class ProgramToolRunner:
    """Tells callbacks of each call, and says when what must not be run again begins."""

    def allows_async_in_sync(self) -> bool:
        """Say whether an async tool may be called like a plain function."""
        return bool(settings.get("allow_tool_async_sync_conversion", False))

    def run(self, tool: Tool, given: Mapping[str, Any], call: Callable[[], Any]) -> Any:
        """Return what `call()` returns."""
        callbacks = callbacks_of(tool)
        if not callbacks:
            _mark(tool, given)
            return call()
        with Announced(callbacks, "tool", tool, {"kwargs": dict(given)}) as announced:
            _mark(tool, given)
            announced.outputs = call()
            return announced.outputs

    async def arun(
        self,
        tool: Tool,
        given: Mapping[str, Any],
        call: Callable[[], Awaitable[Any]],
    ) -> Any:
        """Return what awaiting `call()` returns."""
        callbacks = callbacks_of(tool)
        if not callbacks:
            _mark(tool, given)
            return await call()
        with Announced(callbacks, "tool", tool, {"kwargs": dict(given)}) as announced:
            _mark(tool, given)
            announced.outputs = await call()
            return announced.outputs


def _mark(tool: Tool, given: Mapping[str, Any]) -> None:
    if not tool.retry:
        # A call that is refused for its arguments has begun nothing.
        tool.checked(given)
        began_unrepeatable(str(tool.name))


use_tool_runner(ProgramToolRunner())
