"""The HTTP side of a service: requests in, responses out.

It holds the sockets and lives on the caller's loop, outside of what may be killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from aiohttp import web

from dspex.client.providers.json_body import JsonError, read_object
from dspex.programs.streaming.reading import streaming_response
from dspex.serve.admission import Admission
from dspex.serve.answering import Answered, Answering, Work
from dspex.serve.contract import Contract
from dspex.serve.delivery import (
    LEFT,
    given_up,
    hand_over,
    hang_up,
    has_left,
    while_connected,
    write_events,
)
from dspex.serve.openapi import document, listed
from dspex.serve.refusals import Refusal, Refused, refusal_of
from dspex.serve.request_events import Asked, asked_here
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
from dspex.serve.terms import Terms
from supervisors.log import logger

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
    terms: Callable[[], Terms]
    """Gives the terms of now."""
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
            if self._is_mounted(request):
                return await self._at_the_side(request, handler)
            wished, context = request_id(request.headers), self.answering.context()
            events = self.answering.events(context)
            with Asked(request, wished, events=events, context=context) as asked:
                try:
                    response = await self._let_in(request, handler, asked)
                except asyncio.CancelledError:
                    if has_left(request):
                        asked.status, asked.error_type = LEFT.status, LEFT.type
                    raise
                asked.status = response.status
                return await hand_over(request, response)

        return at_the_door

    async def _at_the_side(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Let somebody else's page answer, who may ask it."""
        try:
            self._check(request)
        except Refused as error:
            return refused(error.refusal, request_id(request.headers))
        return await handler(request)

    async def _let_in(
        self, request: web.Request, handler: Handler, asked: Asked
    ) -> web.StreamResponse:
        """Answer whoever may come in; whatever is wrong is told in one shape."""
        try:
            self._check(request)
            return await handler(request)
        except web.HTTPException as error:
            refusal = self._of_http(error, request)
        except Exception as error:  # noqa: BLE001 - every request is answered
            refusal = self._told(error, asked)
        asked.error_type = refusal.type
        return refused(refusal, asked.id)

    def _check(self, request: web.Request) -> None:
        doorkeeper = self.terms().doorkeeper
        doorkeeper.check_host(request.headers.get("Host"))
        if not (self._is_mounted(request) and request.path in self.open_paths):
            doorkeeper.check_token(request.headers.get("Authorization"))

    def _is_mounted(self, request: web.Request) -> bool:
        """Whether somebody else's page is asked, and not one of ours at its path."""
        resource = request.match_info.route.resource
        ours = resource is not None and resource.canonical.endswith("/{name}")
        return request.path in self.mounted_paths and not ours

    async def listing(self, _request: web.Request) -> web.Response:
        """List the programs."""
        return written(200, listed(self._contracts()))

    async def openapi(self, _request: web.Request) -> web.Response:
        """Describe the programs, for programs."""
        return written(
            200,
            document(
                self._contracts(), has_token=self.terms().doorkeeper.token is not None
            ),
        )

    async def ask(self, request: web.Request) -> web.StreamResponse:
        """Answer a request by its program."""
        asked = asked_here()
        served = self._served(request)
        asked.program = served.contract.name
        most = self.terms().timeout
        wish = Wish.of(request.headers, request.query, most=most, wished=asked.id)
        with self.admission.place():
            return await self._answered(request, served, wish)

    async def _answered(
        self, request: web.Request, served: Served, wish: Wish
    ) -> web.StreamResponse:
        name = served.contract.name
        inputs = served.contract.read(await _inputs(request))
        work = Work(
            program=served.program,
            inputs=inputs,
            label=f"{name} {wish.id}",
            context=asked_here().context,
        )
        if wish.is_streamed:
            return await self._streamed(request, work, wish)
        answering = asyncio.create_task(self._in_time(work, wish))
        try:
            await while_connected(request, answering)
            answered = answering.result()
            return written(200, plain(answered.value), usage_header(answered, wish.id))
        finally:
            await given_up(answering)

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
            raise Refused(_late(wish.timeout, self.terms().timeout)) from None

    async def _streamed(
        self, request: web.Request, work: Work, wish: Wish
    ) -> web.StreamResponse:
        """Answer in events. What fails before the first is told with its own status."""
        telling = Telling(work.program)
        answering = asyncio.create_task(
            self._in_time(
                replace(work, listening=telling.listening, again=telling.again), wish
            )
        )
        answering.add_done_callback(lambda _: telling.end())
        headers = {REQUEST_ID: wish.id, **SAFE_HEADERS, "Content-Type": EVENTS}
        # nginx would keep the events until its buffer is full.
        headers["X-Accel-Buffering"] = "no"
        response = web.StreamResponse(headers=headers)
        asked = asked_here()
        events = streaming_response(self._events(telling, answering, response, asked))
        try:
            return await write_events(request, events, response)
        except Exception as error:
            if not response.prepared:
                raise
            # A second response would be read as a part of this one.
            asked.error_type = self._told(error, asked).type
            hang_up(request)
            return response
        finally:
            await given_up(answering)
            await events.aclose()

    async def _events(
        self,
        telling: Telling,
        answering: asyncio.Task[Answered],
        response: web.StreamResponse,
        asked: Asked,
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
            refusal = self._told(error, asked)
            asked.error_type = refusal.type
            yield event(refusal.plain())

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

    def _of_http(self, error: web.HTTPException, request: web.Request) -> Refusal:
        """Word what aiohttp refuses by itself, such as a page that is not there."""
        status, allowed = error.status, error.headers.get("Allow")
        name = request.path.rpartition("/")[2]
        if status == 405 and allowed == "POST" and name not in self.programs():
            # Any name can be posted to, so that a program's name can be.
            status, allowed = 404, None
        kinds = {404: "not_found", 405: "method_not_allowed"}
        return Refusal(
            status=status,
            type=kinds.get(status, "refused"),
            message="there is nothing here that can be asked so; post a program's "
            "inputs to its path, which GET / lists.",
            headers={} if allowed is None else {"Allow": allowed},
        )

    def _told(self, error: Exception, asked: Asked) -> Refusal:
        refusal = refusal_of(error)
        if refusal.status == 500:
            logger("dspex.serve").error(
                "a request failed",
                request=asked.id,
                program=asked.program,
                type=refusal.type,
                exc_info=error,
            )
        elif refusal.is_of_others:
            logger("dspex.serve").warning(
                "a request failed",
                request=asked.id,
                program=asked.program,
                type=refusal.type,
                status=refusal.status,
                reason=refusal.message,
            )
        return refusal


async def _inputs(request: web.Request) -> Mapping[str, Any]:
    check_json(request.content_type, request.headers.get("Content-Encoding"))
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
    except (ConnectionError, web.RequestPayloadError) as error:
        # The body broke off, so its sender has.
        raise Refused(LEFT) from error
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


def _late(seconds: float, most: float) -> Refusal:
    mend = (
        f"Allow up to {most:g} s with the header Dspex-Timeout."
        if seconds < most
        else "Ask for less at a time, or start the service with a longer timeout."
    )
    return Refusal(
        status=504,
        type="timeout",
        message=f"the program was not done within {seconds:g} s and was given up; its "
        f"calls to models were withdrawn. {mend}",
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
