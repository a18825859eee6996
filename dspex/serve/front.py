"""The HTTP side of a service: requests in, responses out.

It holds the sockets and lives on the caller's loop, outside of what may be killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from dspex.client.providers.json_body import JsonError, read_object
from dspex.programs.streaming.reading import streaming_response
from dspex.serve.admission import Admission
from dspex.serve.answering import Answered, Answering, Work
from dspex.serve.contract import Contract
from dspex.serve.doorkeeper import Doorkeeper
from dspex.serve.openapi import document, listed
from dspex.serve.refusals import Refusal, Refused, refusal_of
from dspex.serve.requests import EVENTS, REQUEST_ID, Wish, check_json, request_id
from dspex.serve.responses import (
    SAFE_HEADERS,
    plain,
    refused,
    spent_as_json,
    usage_header,
    written,
)
from dspex.serve.streaming import Telling, event
from supervisors.log import logger

LOOK_EVERY: Final = 1.0
"""Seconds after which it is seen that a client has left."""
PING_EVERY: Final = 15.0
"""Seconds of silence after which a stream says that it is alive."""
BODY_WITHIN: Final = 30.0
"""Seconds a body may take to arrive."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A program and what it takes and gives."""

    program: Callable[..., Any]
    """The program."""
    contract: Contract
    """What it takes and gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """The pages of a service."""

    programs: Callable[[], Mapping[str, Served]]
    """Gives the programs of now."""
    admission: Admission
    """Who finds a place."""
    answering: Answering
    """Runs their programs."""
    doorkeeper: Doorkeeper
    """Who may ask at all."""
    timeout: float
    """Seconds that a request may take at most."""
    open_paths: Collection[str] = ()
    """Pages that want no token."""
    mounted_paths: Collection[str] = ()
    """Pages that are somebody else's."""

    def routes(self) -> list[web.RouteDef]:
        """Return the pages."""
        return [
            web.get("/", self.listing),
            web.get("/openapi.json", self.openapi),
            web.post("/", self.ask),
            web.post("/{name}", self.ask),
        ]

    def middleware(self) -> Any:
        """Return what every request goes through first."""

        @web.middleware
        async def at_the_door(
            request: web.Request, handler: Handler
        ) -> web.StreamResponse:
            try:
                self.doorkeeper.check_host(request.headers.get("Host"))
                if request.path not in self.open_paths:
                    self.doorkeeper.check_token(request.headers.get("Authorization"))
                return await handler(request)
            except Refused as error:
                return refused(error.refusal, request_id(request.headers))
            except web.HTTPException as error:
                if request.path in self.mounted_paths:
                    raise
                return refused(_of_http(error), request_id(request.headers))

        return at_the_door

    async def listing(self, _request: web.Request) -> web.Response:
        """List the programs."""
        return written(200, listed(self._contracts()))

    async def openapi(self, _request: web.Request) -> web.Response:
        """Describe the programs, for programs."""
        return written(
            200,
            document(self._contracts(), has_token=self.doorkeeper.token is not None),
        )

    async def ask(self, request: web.Request) -> web.StreamResponse:
        """Answer a request by its program."""
        wished = request_id(request.headers)
        try:
            served = self._served(request)
            wish = Wish.of(request.headers, request.query, most=self.timeout)
            wished = wish.id
            with self.admission.place():
                return await self._answered(request, served, wish)
        except Exception as error:  # noqa: BLE001 - every request is answered
            return refused(self._told(error, wished), wished)

    async def _answered(
        self, request: web.Request, served: Served, wish: Wish
    ) -> web.StreamResponse:
        name = served.contract.name
        inputs = served.contract.read(await _inputs(request))
        work = Work(program=served.program, inputs=inputs, label=f"{name} {wish.id}")
        if wish.is_streamed:
            return await self._streamed(request, work, wish)
        answering = asyncio.create_task(self._in_time(work, wish))
        try:
            await _while_connected(request, answering)
            answered = answering.result()
            return written(200, plain(answered.value), usage_header(answered, wish.id))
        finally:
            await _given_up(answering)

    async def _in_time(self, work: Work, wish: Wish) -> Answered:
        """Answer, or give the program up when its time is over."""
        within = asyncio.timeout(wish.timeout)
        try:
            async with within:
                return await self.answering.answer(work)
        except TimeoutError:
            # One that the program itself raises is its own.
            if not within.expired():
                raise
            raise Refused(_late(wish.timeout, self.timeout)) from None

    async def _streamed(
        self, request: web.Request, work: Work, wish: Wish
    ) -> web.StreamResponse:
        """Answer in events. What fails before the first is told with its own status."""
        telling = Telling(work.program)
        answering = asyncio.create_task(
            self._in_time(
                Work(
                    program=work.program,
                    inputs=work.inputs,
                    label=work.label,
                    listening=telling.listening,
                    again=telling.again,
                ),
                wish,
            )
        )
        answering.add_done_callback(lambda _: telling.end())
        headers = {REQUEST_ID: wish.id, **SAFE_HEADERS, "Content-Type": EVENTS}
        response = web.StreamResponse(headers=headers)
        events = streaming_response(self._events(telling, answering, response, wish))
        try:
            return await _write_events(request, events, response)
        finally:
            await _given_up(answering)
            await events.aclose()

    async def _events(
        self,
        telling: Telling,
        answering: asyncio.Task[Answered],
        response: web.StreamResponse,
        wish: Wish,
    ) -> AsyncGenerator[Any, None]:
        is_begun = False
        async for told in telling.told():
            is_begun = True
            yield told
        try:
            answered = answering.result()
            value, spent = plain(answered.value), spent_as_json(answered.spent)
            yield event({"prediction": value, "usage": spent})
        except Exception as error:
            if not (is_begun or response.prepared):
                # Nothing was told yet, so it has a status of its own.
                raise
            yield event(self._told(error, wish.id).plain())

    def _served(self, request: web.Request) -> Served:
        programs = self.programs()
        name = request.match_info.get("name")
        if name is None and len(programs) == 1:
            [served] = programs.values()
            return served
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
        return programs[name]

    def _contracts(self) -> list[Contract]:
        return [served.contract for served in self.programs().values()]

    def _told(self, error: Exception, wished: str) -> Refusal:
        refusal = refusal_of(error)
        if refusal.status == 500:
            logger("dspex.serve").error(
                "a request failed", request=wished, type=refusal.type, exc_info=error
            )
        return refusal


async def _inputs(request: web.Request) -> Mapping[str, Any]:
    check_json(request.content_type)
    try:
        async with asyncio.timeout(BODY_WITHIN):
            return read_object(await request.read())
    except TimeoutError as error:
        raise Refused(
            Refusal(
                status=408,
                type="body_too_slow",
                message=f"the body was not whole within {BODY_WITHIN:g} s. Send it in "
                "one piece.",
                closes=True,
            )
        ) from error
    except web.HTTPRequestEntityTooLarge as error:
        raise Refused(_too_large(request.client_max_size)) from error
    except JsonError as error:
        raise Refused(
            Refusal(
                status=400,
                type="invalid_json",
                message=f"the body cannot be read: {error}; expected a JSON object of "
                "the inputs by name. Mend it and send it again.",
            )
        ) from error


async def _while_connected(
    request: web.Request, answering: asyncio.Task[Answered]
) -> None:
    """Wait for an answer as long as somebody waits for it.

    Raises:
        ConnectionResetError: The client has left.
    """
    while not answering.done():
        await asyncio.wait({answering}, timeout=LOOK_EVERY)
        if request.transport is None or request.transport.is_closing():
            raise ConnectionResetError


async def _write_events(
    request: web.Request,
    events: AsyncGenerator[str, None],
    response: web.StreamResponse,
) -> web.StreamResponse:
    """Write events as they come; in long silences, that there will be more."""
    coming = asyncio.ensure_future(anext(events))
    try:
        while True:
            await asyncio.wait({coming}, timeout=PING_EVERY)
            text = coming.result() if coming.done() else ": still working\n\n"
            if not response.prepared:
                await response.prepare(request)
            await response.write(text.encode())
            if coming.done():
                coming = asyncio.ensure_future(anext(events))
    except StopAsyncIteration:
        await response.write_eof()
        return response
    except ConnectionResetError:
        # Nobody is there to be answered.
        return response
    finally:
        coming.cancel()
        await asyncio.wait({coming})
        if not coming.cancelled():
            coming.exception()


async def _given_up(answering: asyncio.Task[Answered]) -> None:
    """End what still runs, and look at its end, so that nobody is warned of it."""
    answering.cancel()
    await asyncio.wait({answering})
    if answering.done() and not answering.cancelled():
        answering.exception()


def _late(seconds: float, most: float) -> Refusal:
    return Refusal(
        status=504,
        type="timeout",
        message=f"the program was not done within {seconds:g} s and was given up; its "
        f"calls to models were withdrawn. Allow up to {most:g} s with the header "
        "Dspex-Timeout.",
    )


def _too_large(most: int) -> Refusal:
    return Refusal(
        status=413,
        type="body_too_large",
        message=f"the body is longer than the {most:,} bytes that this service takes. "
        "Send less, or start it with a larger max_body.",
        facts={"max_body": most},
        closes=True,
    )


def _of_http(error: web.HTTPException) -> Refusal:
    """Word what aiohttp refuses by itself, such as a page that is not there."""
    kinds = {404: "not_found", 405: "method_not_allowed"}
    allowed = error.headers.get("Allow")
    return Refusal(
        status=error.status,
        type=kinds.get(error.status, "refused"),
        message="there is nothing here that can be asked so; post a program's inputs "
        "to its path, which GET / lists.",
        headers={} if allowed is None else {"Allow": allowed},
    )
