"""A runtime for the life of somebody else's asyncio application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any

from dspex.runtime.config import Config
from dspex.runtime.runtime import Runtime


class lifespan:  # noqa: N801 - it is used as a function, as in FastAPI(lifespan=...)
    """Open a runtime when an application starts, and close it when it ends.

    Pass it as `lifespan=` to FastAPI or Starlette: each request then finds the runtime
    as `request.state.runtime`, and works in it with `with request.state.runtime.use()`.
    Anywhere else, `async with dspex.lifespan(config) as runtime:` does the same.

    The loop is never blocked, no signal handler is set, and nothing is kept for the
    process: a server that forks its workers gives each of them a runtime of its own.

    Args:
        config: What can be set about the runtime.

    Example:
        >>> import asyncio
        >>> async def main():
        ...     async with lifespan(Config(persist=False)) as runtime:
        ...         print(runtime)
        >>> asyncio.run(main())
        dspex
        ├─ cache
        │  └─ memory
        ├─ providers
        └─ evaluations
    """

    def __init__(self, config: Config | None = None) -> None:
        self._config = config
        self._open: AbstractAsyncContextManager[Runtime] | None = None

    def __call__(self, _app: Any) -> AbstractAsyncContextManager[dict[str, Runtime]]:
        """Do it for an application, as its server asks."""
        return _as_state(self._config)

    async def __aenter__(self) -> Runtime:
        """Open the runtime, and be in it until the block ends."""
        self._open = _opened(self._config)
        return await self._open.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self._open is not None:
            await self._open.__aexit__(kind, error, where)


@asynccontextmanager
async def _opened(config: Config | None) -> AsyncIterator[Runtime]:
    # Starting and stopping wait for actors, which must not hold up the loop.
    runtime = Runtime(config)
    try:
        await asyncio.to_thread(runtime.start)
        with runtime.use():
            yield runtime
    finally:
        await asyncio.to_thread(runtime.close)


@asynccontextmanager
async def _as_state(config: Config | None) -> AsyncIterator[dict[str, Runtime]]:
    async with _opened(config) as runtime:
        yield {"runtime": runtime}
