from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from collections.abc import Generator
from typing import Any

import pytest

from dspex.core.adapters import ChatAdapter, LineAdapter
from dspex.core.errors import ConfigurationError
from dspex.programs import ambient, configure, context, settings
from tests.unit.programs.fakes import FakeLM


def test_defaults() -> None:
    assert settings.get("lm") is None
    assert settings.adapter is None
    assert settings.trace is None
    assert settings.concurrency == 16
    assert settings.max_errors == 10
    assert settings.track_usage is False


def test_configure_changes_the_process_and_context_a_block() -> None:
    outer, inner = FakeLM("x"), FakeLM("y")
    configure(lm=outer)

    with context(lm=inner, trace=[]):
        assert settings.get("lm") is inner
        with context(lm=None):
            assert settings.get("lm") is None
            assert settings.trace == []
        assert settings.get("lm") is inner

    assert settings.get("lm") is outer
    assert settings.trace is None


def test_configure_inside_a_context_does_not_reach_the_overlay() -> None:
    with context(concurrency=2):
        configure(concurrency=5, max_errors=3)

        assert (settings.concurrency, settings.max_errors) == (2, 3)
    assert settings.concurrency == 5


def test_a_context_ends_when_its_block_raises() -> None:
    with pytest.raises(RuntimeError), context(max_errors=1):
        raise RuntimeError

    assert settings.max_errors == 10


def test_a_copied_context_carries_the_overlay_to_a_thread() -> None:
    seen: list[int] = []

    def look() -> None:
        seen.append(settings.concurrency)

    with context(concurrency=3):
        copied = contextvars.copy_context()
        threads = [
            threading.Thread(target=copied.run, args=(look,)),
            threading.Thread(target=look),
        ]
        for thread in threads:
            thread.start()
            thread.join(timeout=10)

    assert seen == [3, 16]


def test_concurrent_configures_lose_nothing() -> None:
    start = threading.Barrier(2)
    lost: list[str] = []

    def count_up(key: str) -> None:
        start.wait(timeout=10)
        for number in range(1, 1_000):
            configure(**{key: number})
            # Only this thread sets the key, so it must still be there.
            if settings[key] != number:
                lost.append(key)

    keys = ("concurrency", "max_errors")
    threads = [threading.Thread(target=count_up, args=(key,)) for key in keys]
    often, before = 1e-6, sys.getswitchinterval()
    sys.setswitchinterval(often)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)
    finally:
        sys.setswitchinterval(before)

    assert lost == []
    assert (settings.concurrency, settings.max_errors) == (999, 999)


def test_num_threads_is_another_name_of_concurrency() -> None:
    configure(num_threads=4)

    assert settings.concurrency == settings.num_threads == settings["num_threads"] == 4
    with pytest.raises(ConfigurationError, match="two names"):
        configure(num_threads=4, concurrency=4)


def test_an_ambient_snapshot_no_longer_changes() -> None:
    with context(concurrency=2):
        snapshot = ambient()

    assert snapshot.concurrency == 2
    assert ambient().concurrency == 16


def test_settings_read_like_a_mapping_and_configure_like_dspy() -> None:
    settings.configure(max_errors=2)

    with settings.context(trace=[]):
        assert settings.get("trace") == []
    assert settings.get("nothing", 5) == 5
    assert "lm" in settings
    assert "num_threads" in settings
    assert "nothing" not in settings
    assert settings.copy()["max_errors"] == 2
    assert "max_errors=2" in repr(settings)


@pytest.mark.parametrize("change", [configure, context])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"adaptor": "chat"}, "Did you mean 'adapter'"),
        ({"zzz": 1}, "the settings are: lm, adapter"),
        ({"lm": "openai/gpt-4o-mini"}, r"dspex\.LM\('openai/gpt-4o-mini'\)"),
        ({"lm": object()}, "no method complete|has none"),
        ({"lm": FakeLM}, "has none"),
        ({"adapter": "lines"}, "Did you mean 'line'"),
        ({"adapter": 3}, "is no adapter"),
        ({"concurrency": 0}, "from 1 on"),
        ({"concurrency": True}, "from 1 on"),
        ({"max_errors": "3"}, "from 1 on"),
        ({"trace": "yes"}, "is no list"),
    ],
)
def test_wrong_settings_are_refused_when_they_are_set(
    change: Any, wrong: dict[str, Any], message: str
) -> None:
    before = ambient()

    with pytest.raises(ConfigurationError, match=message):
        change(**wrong).__enter__()

    assert ambient() == before


def test_reading_or_assigning_an_unknown_setting_says_so() -> None:
    with pytest.raises(AttributeError, match="Did you mean 'trace'"):
        _ = settings.traces
    with pytest.raises(AttributeError, match=r"dspex\.configure\(lm="):
        settings.lm = FakeLM("x")
    assert not hasattr(settings, "__wrapped__")


def test_adapters_are_set_as_objects_or_names() -> None:
    chat = ChatAdapter()

    with context(adapter=chat):
        assert settings.get("adapter") is chat
    with context(adapter=LineAdapter.name):
        assert settings.adapter == "line"


def test_what_dspy_configures_is_configured() -> None:
    configure(
        disable_history=True,
        max_history_size=0,
        max_trace_size=5,
        warn_on_type_mismatch=False,
        async_max_workers=3,
        allow_tool_async_sync_conversion=True,
        provide_traceback=True,
        callbacks=None,
    )

    assert settings.config == settings.copy()
    assert settings.async_max_workers == 3
    assert settings.max_history_size == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rm": None}, r"no setting 'rm'; there are no retrievers\. Call your search"),
        ({"caller_modules": []}, r"program\.history"),
        ({"callbacks": "me"}, "callbacks='me' is no list"),
        ({"max_trace_size": -1}, "from 0 on"),
        ({"async_max_workers": 0}, "from 1 on"),
    ],
)
def test_what_dspex_has_not_is_refused_with_what_to_do(
    wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        configure(**wrong)


def test_settings_that_were_read_can_be_set_again() -> None:
    before = settings.copy()
    configure(max_errors=3)

    settings.configure(**before)

    assert settings.copy() == before


def test_tasks_of_one_loop_keep_their_contexts_apart() -> None:
    async def handle_request(number: int, met: asyncio.Barrier) -> list[int]:
        seen = []
        with context(max_errors=number):
            for _ in range(3):
                # All requests are inside their blocks whenever one of them looks.
                await met.wait()
                seen.append(settings.max_errors)
        return seen

    async def serve() -> list[list[int]]:
        met = asyncio.Barrier(4)
        requests = (handle_request(number, met) for number in range(1, 5))
        return list(await asyncio.gather(*requests))

    assert asyncio.run(serve()) == [[number] * 3 for number in range(1, 5)]
    assert settings.max_errors == 10


def test_what_a_notebook_configures_in_one_cell_the_next_cell_sees() -> None:
    async def cell(number: int) -> int:
        before = int(settings.max_errors)
        configure(max_errors=number)
        return before

    async def notebook() -> list[int]:
        # Each cell is a task of its own, as in Jupyter.
        return [await asyncio.create_task(cell(number)) for number in (3, 4)]

    assert asyncio.run(notebook()) == [10, 3]
    assert settings.max_errors == 4


def test_a_block_entered_in_a_copied_context_leaks_nothing() -> None:
    with context(max_errors=2):
        copied = contextvars.copy_context()
        copied.run(context(max_errors=3).__enter__)

        assert settings.max_errors == 2
        assert contextvars.copy_context().run(lambda: settings.max_errors) == 2


def test_a_function_may_run_under_settings_of_its_own() -> None:
    @context(max_errors=2)
    def depth(left: int) -> list[int]:
        return [settings.max_errors, *(depth(left - 1) if left else [])]

    assert depth(2) == [2, 2, 2]
    assert depth(0) == [2]
    assert settings.max_errors == 10


def test_a_generator_that_is_dropped_elsewhere_disturbs_nobody() -> None:
    def pieces() -> Generator[int, None, None]:
        with context(max_errors=2):
            yield settings.max_errors
            yield settings.max_errors

    stream = pieces()
    first = contextvars.copy_context().run(next, stream)
    with context(max_errors=5):
        stream.close()

        assert settings.max_errors == 5
    assert first == 2
