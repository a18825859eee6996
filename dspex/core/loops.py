"""The event loop that coroutines of dspex need."""

from __future__ import annotations

import asyncio

from dspex.core.errors import ConfigurationError


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the asyncio loop that runs here.

    Raises:
        ConfigurationError: There is none: this is a coroutine of another framework.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError as error:
        message = (
            "no asyncio loop runs here, and the coroutines of dspex need one. In trio "
            "make the plain call in a thread: "
            "await trio.to_thread.run_sync(lambda: program(question=question))."
        )
        raise ConfigurationError(message) from error
