"""`Service`: programs behind HTTP."""

from __future__ import annotations

import contextvars
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from aiohttp import web

from dspex.core import defaults
from dspex.core.errors import ConfigurationError
from dspex.core.foreign import refuse_dspy
from dspex.runtime.runtime import Runtime
from dspex.serve.admission import Admission
from dspex.serve.answering import Answering
from dspex.serve.contract import Contract
from dspex.serve.front import Front, Served
from dspex.serve.terms import Terms, check_above_zero

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
        timeout: Seconds a request may take; its header `Dspex-Timeout` may ask for
            less. Then it is given up, and answered with 504.
        max_body: Bytes a request may bring.
        token: What each request has to bring as `Authorization: Bearer`; a text that
            begins with `$` is the name of an environment variable that holds it. `None`
            lets everybody ask who reaches the socket.
        hosts: Names the service answers to besides addresses and `localhost`, when it
            has no token; `"*"` is any.

    Raises:
        ConfigurationError: There is no program, a name is none, a number is not above
            zero, or the variable of the token is not set.

    Example:
        >>> import dspex
        >>> service = Service({"capital": dspex.Predict("country -> capital")})
        >>> service
        <dspex.Service /capital: 0 in flight>
    """

    def __init__(
        self,
        programs: Mapping[str, Callable[..., Any]],
        *,
        runtime: Runtime | None = None,
        max_in_flight: int = defaults.SERVE_IN_FLIGHT,
        timeout: float = defaults.SERVE_TIMEOUT,
        max_body: int = defaults.SERVE_BODY,
        token: str | None = None,
        hosts: Collection[str] = (),
    ) -> None:
        check_above_zero(max_body=max_body)
        self._terms = Terms.of(
            max_in_flight=max_in_flight, timeout=timeout, token=token, hosts=hosts
        )
        self._programs = _checked(programs)
        self._admission = Admission(max_in_flight)
        self._answering = Answering(runtime)
        self._max_body = max_body
        self._routes: list[web.RouteDef] = []
        self._open_paths: set[str] = set()

    def __repr__(self) -> str:
        paths = " ".join(f"/{name}" for name in self._programs)
        state = ", draining" if self.draining else ""
        return f"<dspex.Service {paths}: {self.in_flight} in flight{state}>"

    @property
    def programs(self) -> Mapping[str, Callable[..., Any]]:
        """The programs that new requests are answered by."""
        return {name: served.program for name, served in self._programs.items()}

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
        self._prepared(programs, self._terms)()

    def _prepared(
        self, programs: Mapping[str, Callable[..., Any]], terms: Terms
    ) -> Callable[[], None]:
        """Check what is to come, and return what puts it in the place of the old.

        That raises nothing, and may be called under other settings than those in force
        here, which are taken over.

        Raises:
            ConfigurationError: As for a new service.
        """
        checked, context = _checked(programs), contextvars.copy_context()

        def put() -> None:
            self._programs, self._terms = checked, terms
            self._answering.adopt(context)
            self._admission.allow(terms.max_in_flight)

        return put

    def add_routes(
        self, routes: Iterable[web.RouteDef], *, needs_token: bool = False
    ) -> None:
        """Mount pages of your own, such as `/healthz`; call it before `app()`.

        Args:
            routes: The pages.
            needs_token: Whether they want the service's token, where it has one.
        """
        added = list(routes)
        self._routes += added
        if not needs_token:
            self._open_paths |= {route.path for route in added}

    def app(self) -> web.Application:
        """Make the application, for `aiohttp.web` to run."""
        front = Front(
            programs=lambda: self._programs,
            admission=self._admission,
            answering=self._answering,
            terms=lambda: self._terms,
            open_paths=frozenset(self._open_paths),
            mounted_paths=frozenset(route.path for route in self._routes),
        )
        app = web.Application(
            client_max_size=self._max_body, middlewares=[front.middleware()]
        )
        app.add_routes(self._routes)
        app.add_routes(front.routes())
        app.on_startup.append(self._begin)
        return app

    async def _begin(self, _app: web.Application) -> None:
        await self._answering.begin()


def _checked(programs: Mapping[str, Callable[..., Any]]) -> Mapping[str, Served]:
    if not programs:
        raise ConfigurationError(
            "a service without a program has nothing to answer; expected one at least. "
            "Write Service({'capital': program})."
        )
    return MappingProxyType(
        {name: _served(name, program) for name, program in programs.items()}
    )


def _served(name: str, program: Callable[..., Any]) -> Served:
    refuse_dspy(program, f"programs[{name!r}]")
    if _NAME.fullmatch(name) is None or name in _TAKEN:
        raise ConfigurationError(
            f"{name!r} cannot be the name of a program: it is a path, such as "
            "/capital, so it begins with a letter, has letters, digits, '-' and '_', "
            f"and is none of {', '.join(sorted(_TAKEN))}. Rename it."
        )
    if not callable(program):
        raise ConfigurationError(
            f"the program {name!r} is {type(program).__name__!r}; expected something "
            "to call with the inputs by name. Pass a dspex.Program or a function."
        )
    return Served(program=program, contract=Contract.of(name, program))
