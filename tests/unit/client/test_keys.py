"""Keys that a function returns: asked for once, and never waited for without end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from dspex.client.keys import KeyRing, NumberedKey
from dspex.client.secrets import Secret
from dspex.core.errors import LMAuthError

PATIENT = 20.0


def first_keys(ring: KeyRing, count: int) -> list[NumberedKey | BaseException]:
    """What so many requests get that need their first key at the same time."""

    async def ask() -> list[NumberedKey | BaseException]:
        asking = (ring.key(later_than=0, fixed=None) for _ in range(count))
        try:
            return await asyncio.gather(*asking, return_exceptions=True)
        finally:
            ring.close()

    return asyncio.run(ask())


def test_a_fixed_key_is_sent_as_it_is() -> None:
    fixed = Secret("sk-1")

    key = asyncio.run(KeyRing(None).key(later_than=0, fixed=fixed))

    assert key == NumberedKey(fixed, 0)


def test_many_requests_ask_for_their_key_once() -> None:
    asked: list[str] = []

    def get_key() -> str:
        asked.append("sk-1")
        return "sk-1"

    keys = first_keys(KeyRing(get_key), 200)

    assert keys == [NumberedKey(Secret("sk-1"), 1)] * 200
    assert len(asked) == 1


def test_a_refused_key_is_replaced_once_for_all_it_was_refused_to() -> None:
    fresh = iter(["sk-1", "sk-2", "sk-3"])
    ring = KeyRing(lambda: next(fresh))

    async def ask() -> tuple[NumberedKey, ...]:
        await ring.key(later_than=0, fixed=None)
        asking = (ring.key(later_than=1, fixed=None) for _ in range(50))
        later = await asyncio.gather(*asking)
        ring.close()
        return tuple(later)

    assert asyncio.run(ask()) == (NumberedKey(Secret("sk-2"), 2),) * 50


def test_a_request_that_is_broken_off_leaves_the_key_to_the_others() -> None:
    asked, returns = threading.Event(), threading.Event()

    def get_key() -> str:
        asked.set()
        assert returns.wait(PATIENT)
        return "sk-1"

    async def ask() -> NumberedKey:
        ring = KeyRing(get_key)
        first = asyncio.ensure_future(ring.key(later_than=0, fixed=None))
        second = asyncio.ensure_future(ring.key(later_than=0, fixed=None))
        await asyncio.to_thread(asked.wait, PATIENT)
        first.cancel()
        await asyncio.wait([first])
        returns.set()
        key = await second
        ring.close()
        return key

    assert asyncio.run(ask()).secret == Secret("sk-1")


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_what_a_function_raises_ends_calls_and_not_the_loop(
    error: type[BaseException],
) -> None:
    asked: list[int] = []

    def get_key() -> str:
        asked.append(1)
        raise error("sk-very-secret")

    outcomes = first_keys(KeyRing(get_key), 20)

    assert {type(outcome) for outcome in outcomes} == {LMAuthError}
    assert all(error.__name__ in str(outcome) for outcome in outcomes)
    assert not any("sk-very-secret" in str(outcome) for outcome in outcomes)
    assert len(asked) == 1


async def a_coroutine_function() -> str:
    return "sk-1"


@pytest.mark.parametrize(
    ("get_key", "said"),
    [
        (lambda: None, "'NoneType'"),
        (lambda: b"sk-1", "'bytes'"),
        (a_coroutine_function, "'coroutine'"),
        (lambda: " ", "is empty"),
        (lambda: "sk-1\nsk-2", "control character"),
    ],
)
def test_what_is_no_key_is_named(get_key: Callable[[], str], said: str) -> None:
    (outcome,) = first_keys(KeyRing(get_key), 1)

    assert isinstance(outcome, LMAuthError)
    assert said in str(outcome)
    assert "sk-1" not in str(outcome)


def test_a_function_that_hangs_is_waited_for_once_by_all() -> None:
    hanging = threading.Event()

    def get_key() -> str:
        hanging.wait(PATIENT)
        return "sk-1"

    outcomes = first_keys(KeyRing(get_key, patience=0.05), 20)
    hanging.set()

    assert {type(outcome) for outcome in outcomes} == {LMAuthError}
    assert len(set(map(str, outcomes))) == 1
    assert "nothing within 0.05 s" in str(outcomes[0])


def test_after_a_function_that_hung_another_is_asked() -> None:
    hanging, asked = threading.Event(), iter([True, False])

    def get_key() -> str:
        if next(asked):
            hanging.wait(PATIENT)
        return "sk-1"

    async def ask() -> NumberedKey:
        ring = KeyRing(get_key, patience=0.05)
        with pytest.raises(LMAuthError):
            await ring.key(later_than=0, fixed=None)
        # One that need not hang is given all the time there is.
        ring._patience = PATIENT
        key = await ring.key(later_than=0, fixed=None)
        ring.close()
        return key

    key = asyncio.run(ask())
    hanging.set()

    assert key == NumberedKey(Secret("sk-1"), 1)
