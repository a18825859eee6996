"""`Service`: programs behind HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from aiohttp import web

from dspex.core import defaults
from dspex.core.errors import ConfigurationError
from dspex.core.foreign import refuse_dspy
from dspex.runtime.runtime import Runtime
from dspex.serve.admission import Admission
from dspex.serve.answering import Answering
from dspex.serve.front import Front

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_TAKEN: Final = frozenset({"docs", "healthz", "metrics", "readyz"})
"""Names that are pages of a service or of the process around it."""


class Service:
    """One or several programs that answer over HTTP.

    `POST /<name>` with the inputs as a JSON object gives the outputs as one. Each
    request's program runs as a task under `services` in the runtime's tree.

    Args:
        programs: The programs by name. A name is the path it answers at.
        runtime: Where they run; `None` is the runtime of this context, found anew for
            each request.
        max_in_flight: Requests worked on at a time; one more is refused with 503.
        max_body: Bytes a request may bring.

    Raises:
        ConfigurationError: There is no program, or a name is none.
    """

    def __init__(
        self,
        programs: Mapping[str, Callable[..., Any]],
        *,
        runtime: Runtime | None = None,
        max_in_flight: int = defaults.MAX_IN_FLIGHT,
        max_body: int = 8 * 1024 * 1024,
    ) -> None:
        self._programs = _checked(programs)
        self._admission = Admission(max_in_flight)
        self._answering = Answering(runtime)
        self._max_body = max_body
        self._routes: list[web.AbstractRouteDef] = []

    @property
    def programs(self) -> Mapping[str, Callable[..., Any]]:
        """The programs that new requests are answered by."""
        return self._programs

    @property
    def in_flight(self) -> int:
        """Requests that are worked on now."""
        return self._admission.in_flight

    @property
    def draining(self) -> bool:
        """Whether new requests are refused because the service is about to stop."""
        return self._admission.draining

    def begin_draining(self) -> None:
        """Refuse new requests with 503; those that are worked on are answered."""
        self._admission.begin_draining()

    async def drained(self) -> None:
        """Wait until `begin_draining` was called and every request is answered."""
        await self._admission.drained()

    def replace(self, programs: Mapping[str, Callable[..., Any]]) -> None:
        """Answer new requests by other programs; those under way keep the old.

        They run under the settings that are in force here, as with a new service.

        Raises:
            ConfigurationError: As for a new service; the old programs stay.
        """
        self._programs = _checked(programs)
        self._answering.adopt_settings()

    def add_routes(self, routes: Iterable[web.AbstractRouteDef]) -> None:
        """Mount pages of your own, such as `/healthz`; call it before `app()`."""
        self._routes += routes

    def app(self) -> web.Application:
        """Make the application, for `aiohttp.web` to run."""
        app = web.Application(client_max_size=self._max_body)
        app.add_routes(self._routes)
        front = Front(
            programs=lambda: self._programs,
            admission=self._admission,
            answering=self._answering,
        )
        app.add_routes(front.routes())
        app.on_startup.append(self._begin)
        return app

    async def _begin(self, _app: web.Application) -> None:
        await self._answering.begin()


def _checked(
    programs: Mapping[str, Callable[..., Any]],
) -> Mapping[str, Callable[..., Any]]:
    if not programs:
        raise ConfigurationError(
            "a service without a program has nothing to answer; expected one at least. "
            "Write Service({'capital': program})."
        )
    for name, program in programs.items():
        refuse_dspy(program, f"programs[{name!r}]")
        if _NAME.fullmatch(name) is None or name in _TAKEN:
            raise ConfigurationError(
                f"{name!r} cannot be the name of a program: it is a path, such as "
                "/capital, so it begins with a letter, has letters, digits, '-' and "
                f"'_', and is none of {', '.join(sorted(_TAKEN))}. Rename it."
            )
        if not callable(program):
            raise ConfigurationError(
                f"the program {name!r} is {type(program).__name__!r}; expected "
                "something to call with the inputs by name. Pass a dspex.Program or a "
                "function."
            )
    return MappingProxyType(dict(programs))
