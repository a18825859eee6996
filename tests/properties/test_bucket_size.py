"""The size and the rate of a bucket, from whatever of its headers come."""

from __future__ import annotations

import math

from hypothesis import assume, given
from hypothesis import strategies as st

from dspex.client.bucket_size import BucketSize

LEVELS = st.lists(st.floats(0, 1), min_size=2, max_size=20)


def heard(limit: int, size: float, rate: float, levels: list[float]) -> BucketSize:
    """Hear the headers of a bucket when it is so full, in any order."""
    bucket = BucketSize()
    for level in levels:
        remaining = math.floor(level * size)
        bucket.hear(limit, remaining, (size - level * size) / rate)
    return bucket


@given(
    size=st.integers(10, 1000),
    times=st.integers(2, 60),
    rate=st.floats(0.1, 1000),
    levels=LEVELS,
)
def test_a_bucket_far_smaller_than_its_limit_is_found_whatever_was_told_of_it(
    size: int, times: int, rate: float, levels: list[float]
) -> None:
    # So far apart that the rounding of what is left matters little.
    assume((max(levels) - min(levels)) * size > 8)

    bucket = heard(times * size, size, rate, levels)

    assert bucket.size is not None
    assert abs(bucket.size - size) <= 1 + 0.25 * size
    assert 0.7 * rate <= bucket.rate <= 1.3 * rate


@given(size=st.integers(1, 1000), rate=st.floats(0.1, 1000), levels=LEVELS)
def test_a_bucket_that_holds_its_limit_is_never_taken_for_much_less(
    size: int, rate: float, levels: list[float]
) -> None:
    bucket = heard(size, size, rate, levels)

    assert bucket.size is None or bucket.size >= 0.7 * size


@given(
    limit=st.integers(10, 1000),
    span=st.floats(0.1, 100),
    moments=st.lists(st.floats(0, 0.999), min_size=2, max_size=20),
)
def test_a_window_is_never_taken_for_a_smaller_bucket(
    limit: int, span: float, moments: list[float]
) -> None:
    bucket = BucketSize()

    # It is used up evenly, and the headers of one window come in order.
    for moment in sorted(moments):
        bucket.hear(limit, int(limit * (1 - moment)), span * (1 - moment))

    assert bucket.size is None


@given(
    st.lists(
        st.tuples(st.integers(1, 1000), st.integers(0, 1000), st.floats(0, 1e6)),
        max_size=30,
    )
)
def test_whatever_is_told_a_size_is_positive_and_below_the_limit(
    headers: list[tuple[int, int, float]],
) -> None:
    bucket = BucketSize()
    for limit, remaining, reset_in in headers:
        bucket.hear(limit, min(remaining, limit), reset_in)

        assert bucket.size is None or 0 < bucket.size < limit
        assert bucket.size is None or bucket.rate > 0
