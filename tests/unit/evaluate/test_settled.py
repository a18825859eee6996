"""A set of places that takes no more memory than it has gaps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dspex.evaluate.scheduling.settled import Settled

PLACES = st.lists(st.integers(0, 40))


@given(PLACES)
def test_it_is_a_set(places: list[int]) -> None:
    settled, plain = Settled(), set[int]()

    for place in places:
        assert settled.add(place) is (place not in plain)
        plain.add(place)

    assert list(settled) == sorted(plain)
    assert len(settled) == len(plain)
    assert [place in settled for place in range(42)] == [
        place in plain for place in range(42)
    ]


@given(PLACES)
def test_the_watermark_is_the_first_place_that_is_missing(places: list[int]) -> None:
    settled = Settled(places)

    assert settled.watermark not in settled
    assert all(place in settled for place in range(settled.watermark))


@given(PLACES)
def test_it_holds_no_more_stretches_than_there_are_gaps(places: list[int]) -> None:
    settled = Settled(places)

    missing = [place for place in range(max(places, default=0)) if place not in settled]
    assert settled.gaps <= len(missing)


@given(PLACES, PLACES)
def test_a_copy_goes_its_own_way(before: list[int], after: list[int]) -> None:
    settled = Settled(before)

    copy = settled.copy()
    for place in after:
        settled.add(place)

    assert list(copy) == sorted(set(before))
    assert list(settled) == sorted({*before, *after})


def test_a_million_places_with_one_straggler_take_one_stretch() -> None:
    settled = Settled(range(1, 1_000_000))

    assert (settled.watermark, settled.gaps) == (0, 1)
    settled.add(0)
    assert (settled.watermark, settled.gaps) == (1_000_000, 0)
