"""The HTTP side of a service: requests in, responses out.

It holds the sockets and lives on the caller's loop, outside of what may be killed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from dspex.client.providers.json_body import JsonError, read_object, write_json
from dspex.core.adapters.render import whole_value
from dspex.core.example import Example
from dspex.core.ids import new_id
from dspex.serve.admission import Admission
from dspex.serve.answering import Answering, Work
from dspex.serve.refusals import Refusal, Refused, refusal_of, whole_seconds

Programs = Mapping[str, Callable[..., Any]]

JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """The pages of a service."""

    programs: Callable[[], Programs]
    """Gives the programs of now."""
    admission: Admission
    """Who is let in."""
    answering: Answering
    """Runs their programs."""

    def routes(self) -> list[web.RouteDef]:
        """Return the pages."""
        return [
            web.get("/", self.listing),
            web.post("/", self.ask),
            web.post("/{name}", self.ask),
        ]

    async def listing(self, _request: web.Request) -> web.Response:
        """List the programs."""
        return _written(200, {"programs": {name: {} for name in self.programs()}})

    async def ask(self, request: web.Request) -> web.StreamResponse:
        """Answer a request by its program."""
        try:
            return await self._answered(request)
        except Exception as error:  # noqa: BLE001 - every request is answered
            return _refused(refusal_of(error))

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        name, program = self._program(request)
        with self.admission.place():
            inputs = await _inputs(request)
            work = Work(program=program, inputs=inputs, label=f"{name} {new_id()}")
            answered = await self.answering.answer(work)
        return _written(200, _plain(answered.value))

    def _program(self, request: web.Request) -> tuple[str, Callable[..., Any]]:
        programs = self.programs()
        name = request.match_info.get("name")
        if name is None and len(programs) == 1:
            [(name, program)] = programs.items()
            return name, program
        if name is None or name not in programs:
            known = ", ".join(f"/{each}" for each in programs)
            raise Refused(
                Refusal(
                    status=404,
                    type="not_found",
                    message=f"there is no such program here; there is: {known}. Post "
                    "the inputs to one of those.",
                )
            )
        return name, programs[name]


async def _inputs(request: web.Request) -> dict[str, Any]:
    if request.content_type != JSON:
        raise Refused(
            Refusal(
                status=415,
                type="unsupported_media_type",
                message=f"the inputs are to come as {JSON}. Send them with the header "
                f"Content-Type: {JSON}.",
            )
        )
    try:
        return dict(read_object(await request.read()))
    except web.HTTPRequestEntityTooLarge as error:
        most = request.client_max_size
        raise Refused(
            Refusal(
                status=413,
                type="body_too_large",
                message=f"the body is longer than the {most:,} bytes that this service "
                "takes. Send less, or start it with a larger max_body.",
                facts={"max_body": most},
                closes=True,
            )
        ) from error
    except JsonError as error:
        raise Refused(
            Refusal(
                status=400,
                type="invalid_json",
                message=f"the body cannot be read: {error}; expected a JSON object of "
                "the inputs by name. Mend it and send it again.",
            )
        ) from error


def _plain(value: Any) -> Any:
    if isinstance(value, Example):
        return {name: whole_value(each) for name, each in value.items()}
    return whole_value(value)


def _written(status: int, value: Any) -> web.Response:
    return web.Response(status=status, body=write_json(value), content_type=JSON)


def _refused(refusal: Refusal) -> web.Response:
    response = _written(refusal.status, refusal.plain())
    response.headers.update(refusal.headers or {})
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(whole_seconds(refusal.retry_after))
    if refusal.closes:
        response.force_close()
    return response
