import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from dspex.client.home_made import HomeMade
from dspex.core.errors import (
    ConfigurationError,
    LMConnectionError,
    LMError,
    LMRateLimitError,
    LMTimeoutError,
    LMUnexpectedError,
)
from dspex.core.lm import Message, Reply, Request

REQUEST = Request(model="mine", messages=(Message("user", "hi"),))
PATIENT = 20.0


@dataclass(frozen=True)
class Model:
    """A model made of one function."""

    work: Callable[[Request], Any]
    is_async: bool = False
    label: str = "mine"

    def answer(self, request: Request) -> Reply | Awaitable[Reply]:
        answer: Reply | Awaitable[Reply] = self.work(request)
        return answer


def ask(model: Model, *, timeout: float = PATIENT) -> Reply:
    async def once() -> Reply:
        made = HomeMade(model, most_threads=2)
        try:
            return await made.answer(REQUEST, timeout=timeout)
        finally:
            await made.aclose()

    return asyncio.run(once())


def raising(error: BaseException, *, is_async: bool) -> Model:
    def work(_request: Request) -> Any:
        raise error

    async def awork(_request: Request) -> Any:
        raise error

    return Model(awork if is_async else work, is_async=is_async)


def test_blocking_model_answers_in_a_thread_of_its_own() -> None:
    def work(request: Request) -> Reply:
        name = threading.current_thread().name
        return Reply(texts=(request.messages[0].text, name))

    assert ask(Model(work)).texts == ("hi", "model mine-1")


def test_coroutine_answers_on_the_loop() -> None:
    async def work(request: Request) -> Reply:
        await asyncio.sleep(0)
        return Reply(texts=(request.model, threading.current_thread().name))

    reply = ask(Model(work, is_async=True))

    assert reply.texts == ("mine", threading.current_thread().name)


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    ("raised", "expected", "is_retryable"),
    [
        (ValueError("the prompt"), LMUnexpectedError, False),
        (SystemExit(3), LMUnexpectedError, False),
        (KeyboardInterrupt(), LMUnexpectedError, False),
        (ConnectionResetError("gone"), LMConnectionError, True),
        (OSError("gone"), LMConnectionError, True),
        (TimeoutError("slow"), LMTimeoutError, True),
    ],
)
def test_error_of_the_models_code_is_worded_and_chained(
    raised: BaseException, expected: type[LMError], is_retryable: bool, is_async: bool
) -> None:
    with pytest.raises(LMError) as failed:
        ask(raising(raised, is_async=is_async))

    error = failed.value
    assert type(error) is expected
    assert error.retryable is is_retryable
    assert type(error.__cause__) is type(raised)
    assert error.__cause__.args == raised.args
    assert f"'mine' raised {type(raised).__name__} in its own code" in str(error)
    assert "the prompt" not in str(error)


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    "raised", [LMRateLimitError("busy", retry_after=3.0), ConfigurationError("wrong")]
)
def test_error_of_dspex_is_passed_on_as_it_is(
    raised: Exception, is_async: bool
) -> None:
    with pytest.raises(type(raised)) as failed:
        ask(raising(raised, is_async=is_async))

    assert failed.value is raised


def test_answer_that_takes_too_long_is_given_up() -> None:
    go_on = threading.Event()

    def work(_request: Request) -> Reply:
        go_on.wait(PATIENT)
        return Reply(texts=("late",))

    with pytest.raises(LMTimeoutError, match=r"no answer after 0\.01 s"):
        ask(Model(work), timeout=0.01)
    go_on.set()


def test_cancelled_coroutine_is_cancelled_for_real() -> None:
    seen: list[str] = []

    async def work(_request: Request) -> Reply:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        return Reply(texts=("never",))

    async def cancel_soon() -> None:
        made = HomeMade(Model(work, is_async=True), most_threads=1)
        task = asyncio.create_task(made.answer(REQUEST, timeout=PATIENT))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_soon())

    assert seen == ["cancelled"]
