"""Why a call is or was no hit, told by the model without a call."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import dspex
from dspex.cache.explain import Explanation
from dspex.core.errors import ConfigurationError
from dspex.core.lm import Message
from dspex.runtime.explaining import explain
from dspex.testing import FakeProvider
from supervisors.testing import ManualClock
from tests.actors.lab import echo


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=echo) as provider:
        yield provider


@pytest.fixture
def lm(provider: FakeProvider) -> Iterator[dspex.LM]:
    # A clock that stands still: the file has all the time it wants.
    with dspex.Runtime(clock=ManualClock()):
        yield dspex.LM("openai/m", api_base=provider.base_url, temperature=0.7)


def why(lm: dspex.LM, question: str, **settings: object) -> Explanation:
    return explain(lm, [Message("user", question)], settings)


def test_a_call_that_was_made_is_in_the_file(lm: dspex.LM) -> None:
    before = why(lm, "hi")
    lm("hi")

    assert not before.is_there
    assert why(lm, "hi").is_there
    assert why(lm, "hi", temperature=0.7).is_there


def test_the_setting_that_differs_is_named(lm: dspex.LM) -> None:
    lm("hi")

    told = why(lm, "hi", temperature=0.0, seed=1)

    assert not told.is_there
    assert told.differences == (
        "settings.seed: 1 here, none there",
        "settings.temperature: 0.0 here, 0.7 there",
    )


def test_nothing_is_sent_and_nobody_waits_for_it(
    lm: dspex.LM, provider: FakeProvider
) -> None:
    why(lm, "hi")

    assert len(provider.bill) == 0
    assert not lm.history
    # Had it taken the lead, this one would wait for it.
    assert lm("hi") == ["re: hi"]


def test_a_call_that_is_never_cached_has_no_explanation(lm: dspex.LM) -> None:
    with pytest.raises(ConfigurationError, match="cache=False"):
        why(lm, "hi", cache=False)


def test_without_a_file_it_says_so(provider: FakeProvider) -> None:
    with dspex.Runtime(dspex.Config(persist=False)):
        lm = dspex.LM("openai/m", api_base=provider.base_url)

        with pytest.raises(ConfigurationError, match="persist=False"):
            why(lm, "hi")
