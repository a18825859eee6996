"""Usage in DSPy's shape: what a tracker keeps, and how entries add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from dspex.core.lm import Usage
from dspex.programs.trace import UsageTracker
from dspex.programs.usage_entries import Entry, sum_of


def test_every_call_has_an_entry() -> None:
    tracker = UsageTracker()
    reported = {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 1}}

    tracker.add("m", Usage(prompt_tokens=5, completion_tokens=2))
    tracker.add_usage("m", reported)
    tracker.add_usage("m", {})

    own = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    assert tracker.usage_data == {"m": [own, reported]}


def test_details_are_added_up_wherever_they_stand() -> None:
    class Details(BaseModel):
        cached_tokens: int
        audio_tokens: int | None = None

    tracker = UsageTracker()
    tracker.add_usage("m", {"prompt_tokens": 9, "details": None})
    tracker.add_usage("m", {"prompt_tokens": 8, "details": Details(cached_tokens=3)})
    tracker.add_usage("m", {"prompt_tokens": 7, "details": {"cached_tokens": 4}})
    tracker.add_usage("m", {"prompt_tokens": 6, "details": {}})

    details = {"cached_tokens": 7, "audio_tokens": None}
    assert tracker.get_total_tokens() == {
        "m": {"prompt_tokens": 30, "total_tokens": 30, "details": details}
    }
    assert tracker.total() == {"m": Usage(prompt_tokens=30)}


@pytest.mark.parametrize("said", [True, "per token", {"by": "you"}, 7])
@pytest.mark.parametrize("later", [False, "per call", {}, None])
def test_what_is_no_count_is_not_added(said: object, later: object) -> None:
    assert sum_of([{"billing": said}, {"billing": later}])["billing"] == said


counts = st.dictionaries(
    st.sampled_from(["prompt_tokens", "completion_tokens", "images"]),
    st.integers(0, 10**9) | st.none(),
)


@given(st.lists(st.fixed_dictionaries({"details": counts}) | counts))
def test_a_sum_does_not_depend_on_how_entries_are_grouped(entries: list[Entry]) -> None:
    middle = len(entries) // 2

    together = sum_of(entries)
    parts = [sum_of(entries[:middle]), sum_of(entries[middle:])]

    assert sum_of(part for part in parts if part) == together
