from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from dspex.core.callbacks import (
    ACTIVE_CALL_ID,
    BaseCallback,
    callbacks_of,
    with_callbacks,
)
from dspex.programs import context


class Diary(BaseCallback):
    """Notes what it hears of adders, optimisers and adapters."""

    def __init__(self) -> None:
        self.starts: list[tuple[str, Any, Any, str | None]] = []
        self.ends: list[tuple[str, Any, BaseException | None, str | None]] = []

    def on_module_start(self, call_id: str, instance: Any, inputs: Any) -> None:
        self.starts.append((call_id, instance, inputs, ACTIVE_CALL_ID.get()))

    def on_module_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        self.ends.append((call_id, outputs, exception, ACTIVE_CALL_ID.get()))

    on_compile_start = on_module_start
    on_compile_end = on_module_end
    on_adapter_parse_start = on_module_start
    on_adapter_parse_end = on_module_end


class Adder:
    """Adds, watched."""

    def __init__(self, callbacks: list[Any] | None = None) -> None:
        self.callbacks = callbacks or []

    @with_callbacks
    def add(self, x: int, y: int = 1, *more: int) -> int:
        return x + y + sum(more)

    @with_callbacks
    async def add_later(self, x: int, y: int = 1) -> int:
        await asyncio.sleep(0)
        return x + y

    @with_callbacks
    def fail(self) -> None:
        raise LookupError("no")

    @with_callbacks
    def twice(self, x: int) -> int:
        return self.add(x, x)


@pytest.fixture
def diary() -> Diary:
    return Diary()


def test_a_callback_of_an_object_hears_its_calls_with_inputs_by_name(
    diary: Diary,
) -> None:
    adder = Adder([diary])

    assert adder.add(2) == 3
    assert Adder().add(5) == 6

    [(call_id, instance, inputs, parent)] = diary.starts
    assert (instance, inputs, parent) == (adder, {"x": 2, "y": 1, "more": ()}, None)
    assert diary.ends == [(call_id, 3, None, None)]


def test_a_callback_of_the_settings_hears_every_call(diary: Diary) -> None:
    own = Diary()
    adder = Adder([own])

    with context(callbacks=[diary]):
        adder.add(1)
    adder.add(2)

    assert [inputs["x"] for _, _, inputs, _ in diary.starts] == [1]
    assert [inputs["x"] for _, _, inputs, _ in own.starts] == [1, 2]


def test_an_error_is_told_and_raised(diary: Diary) -> None:
    with pytest.raises(LookupError) as raised:
        Adder([diary]).fail()

    [(_, outputs, exception, _)] = diary.ends
    assert outputs is None
    assert exception is raised.value


def test_a_coroutine_is_told_of_when_it_is_done(diary: Diary) -> None:
    assert asyncio.run(Adder([diary]).add_later(2, y=3)) == 5

    assert [inputs for _, _, inputs, _ in diary.starts] == [{"x": 2, "y": 3}]
    assert [outputs for _, outputs, _, _ in diary.ends] == [5]


def test_a_call_inside_another_has_it_as_its_parent(diary: Diary) -> None:
    Adder([diary]).twice(3)

    (outer, _, _, no_parent), (inner, _, _, parent) = diary.starts
    assert (no_parent, parent) == (None, outer)
    assert [end[0] for end in diary.ends] == [inner, outer]
    assert [end[3] for end in diary.ends] == [outer, None]
    assert ACTIVE_CALL_ID.get() is None


def test_calls_that_run_together_keep_their_parents_apart(diary: Diary) -> None:
    class Pair(Adder):
        @with_callbacks
        async def both(self) -> list[int]:
            return list(await asyncio.gather(self.add_later(1), self.add_later(2)))

    async def main() -> None:
        pair = Pair([diary])
        await asyncio.gather(pair.both(), pair.both())

    asyncio.run(main())

    tops = [call_id for call_id, _, inputs, _ in diary.starts if not inputs]
    parents = [parent for _, _, inputs, parent in diary.starts if inputs]
    assert sorted(parents, key=str) == sorted([*tops, *tops])


class Broken(BaseCallback):
    """Raises in one of its handlers."""

    def on_module_start(self, call_id: str, instance: Any, inputs: Any) -> None:
        raise ZeroDivisionError("mine")


def test_a_broken_callback_changes_nothing_and_is_reported_once(
    caplog: pytest.LogCaptureFixture, diary: Diary
) -> None:
    adder = Adder([Broken(), diary])

    with caplog.at_level(logging.WARNING):
        results = [adder.add(n) for n in range(3)]

    assert results == [1, 2, 3]
    assert len(diary.starts) == len(diary.ends) == 3
    [record] = caplog.records
    assert "on_module_start: ZeroDivisionError: mine" in record.getMessage()


def test_a_callback_that_is_gone_is_not_kept() -> None:
    callback = Broken()
    Adder([callback]).add(1)
    gone = weakref.ref(callback)

    del callback
    gc.collect()

    assert gone() is None


def test_anything_may_stand_in_for_a_callback(caplog: pytest.LogCaptureFixture) -> None:
    with context(callbacks=[lambda x: x, 3]):
        assert Adder().add(1) == 2

    assert "has no attribute 'on_module_start'" in caplog.text


class Unspeakable(Exception):  # noqa: N818 - it has a name of its own
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Unfriendly(BaseCallback):
    def __hash__(self) -> int:
        raise RuntimeError("no hash")

    def on_module_start(
        self, call_id: str, instance: Any, inputs: Mapping[str, Any]
    ) -> None:
        raise Unspeakable


def test_a_callback_breaks_no_call_however_broken_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with context(callbacks=[Unfriendly()]):
        assert Adder().add(1) == 2

    assert "Unspeakable: (its text cannot be shown: RuntimeError)" in caplog.text


class Optimizer:
    """Compiles, watched."""

    callback_kind: ClassVar[str] = "compile"

    def __init__(self, *callbacks: Any) -> None:
        self.callbacks = list(callbacks)

    @with_callbacks
    def compile(self, student: str, *, deep: bool = False) -> str:
        return self.compile(student) if deep else student


class Careful(Optimizer):
    """Overrides what it calls."""

    @with_callbacks
    def compile(self, student: str, *, deep: bool = False) -> str:
        return super().compile(student).upper()


def test_an_override_that_calls_what_it_overrides_is_one_call(diary: Diary) -> None:
    assert Careful(diary).compile("a") == "A"

    assert [inputs for _, _, inputs, _ in diary.starts] == [
        {"student": "a", "deep": False}
    ]
    assert [outputs for _, outputs, _, _ in diary.ends] == ["A"]


class Reader:
    """Parses, watched."""

    callback_kind: ClassVar[str] = "adapter"

    def __init__(self, *callbacks: Any) -> None:
        self.callbacks = list(callbacks)

    @with_callbacks
    def parse(self, completion: str) -> str:
        return completion


def test_an_adapters_event_is_named_after_its_method(diary: Diary) -> None:
    Reader(diary).parse("x")

    assert [inputs for _, _, inputs, _ in diary.starts] == [{"completion": "x"}]


def test_arguments_that_do_not_fit_are_the_methods_own_error(diary: Diary) -> None:
    with pytest.raises(TypeError, match="unexpected keyword"):
        Adder([diary]).add(1, z=2)  # type: ignore[call-arg] # what is tested

    assert diary.starts[0][2] == {"args": (1,), "kwargs": {"z": 2}}
    assert isinstance(diary.ends[0][2], TypeError)


def test_without_callbacks_nobody_is_told() -> None:
    assert list(callbacks_of(Adder())) == []
    assert list(callbacks_of(object())) == []
