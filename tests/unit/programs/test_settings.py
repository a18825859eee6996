from __future__ import annotations

import contextvars
import sys
import threading
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
