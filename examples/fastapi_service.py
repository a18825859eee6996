"""Programs inside a FastAPI application of your own.

    pip install dspex fastapi uvicorn
    OPENAI_API_KEY=... uvicorn fastapi_service:app

`dspex.lifespan()` opens a runtime when the application starts and closes it when it
ends. Each handler works in it with `with request.state.runtime.use()`. FastAPI checks
what comes in and writes the OpenAPI document; dspex keeps the calls to models going.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from typing import Any

import dspex
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel


class Question(BaseModel):
    country: str


class Answer(BaseModel):
    capital: str


def make_app(lm: Any) -> FastAPI:
    """Make the application; nothing runs before its server starts it."""
    app = FastAPI(lifespan=dspex.lifespan(dspex.Config(max_in_flight=64)))
    program = dspex.Predict("country -> capital")
    program.lm = lm
    tell = dspex.streamify(
        program,
        stream_listeners=[dspex.streaming.StreamListener("capital")],
        is_async_program=True,
    )

    async def capital(question: Question, request: Request) -> Answer:
        with request.state.runtime.use():
            found = await program.acall(country=question.country)
        return Answer(capital=found.capital)

    async def capital_as_events(
        question: Question, request: Request
    ) -> StreamingResponse:
        async def events() -> AsyncIterator[str]:
            with request.state.runtime.use():
                told = tell(country=question.country)
                try:
                    async for event in dspex.streaming.streaming_response(told):
                        yield event
                except (dspex.LMError, dspex.RuntimeClosedError) as error:
                    # The status is out already, so an event says it.
                    failed = json.dumps({"error": type(error).__name__})
                    yield f"data: {failed}\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    async def down(_request: Request, error: Exception) -> JSONResponse:
        wait = getattr(error, "retry_after", None) or 1
        headers = {"Retry-After": str(round(wait))}
        return JSONResponse({"error": type(error).__name__}, 503, headers)

    app.post("/capital")(capital)
    app.post("/capital/events")(capital_as_events)
    handlers: dict[Any, Any] = {dspex.LMError: down, dspex.RuntimeClosedError: down}
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
    return app


app = make_app(dspex.LM(os.environ.get("DSPEX_MODEL", "openai/gpt-4o-mini")))
