from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.core.errors import ConfigurationError
from dspex.testing import RateLimit
from dspex.testing._openai import go_duration
from dspex.testing.rate_limit import Limiter, too_many

gaps = st.lists(st.floats(min_value=0.0, max_value=3.0), max_size=60)


def times(given_gaps: list[float]) -> list[float]:
    now = 100.0
    return [now := now + gap for gap in given_gaps]


def passed(limit: RateLimit, at: list[float], tokens: int = 1) -> list[float]:
    limiter = Limiter(limit, now=100.0)
    return [now for now in at if limiter.judge(tokens=tokens, now=now).wait is None]


@given(gaps=gaps)
def test_a_window_never_lets_through_more_than_its_limit(gaps: list[float]) -> None:
    through = passed(RateLimit(requests=3, per=2.0, kind="window"), times(gaps))

    windows = [int((now - 100.0) / 2.0) for now in through]
    assert all(windows.count(window) <= 3 for window in windows)


@given(gaps=gaps)
def test_a_bucket_never_lets_through_more_than_burst_and_rate(
    gaps: list[float],
) -> None:
    through = passed(RateLimit(requests=4, per=2.0, burst=2), times(gaps))

    for first, start in enumerate(through):
        for last, end in enumerate(through[first:], first):
            assert last - first + 1 <= 2 + (end - start) * 2.0 + 1e-6


@given(
    gaps=gaps,
    limit=st.sampled_from(
        [
            RateLimit(requests=2, per=1.5),
            RateLimit(requests=2, per=1.5, kind="window"),
            RateLimit(requests=9, tokens=3, per=0.7),
        ]
    ),
)
def test_who_comes_back_when_told_is_let_through(
    gaps: list[float], limit: RateLimit
) -> None:
    limiter = Limiter(limit, now=100.0)

    for now in times(gaps):
        wait = limiter.judge(tokens=1, now=now).wait
        if wait is not None:
            # Nobody else asks in between. The sum may be a hair too small.
            assert limiter.judge(tokens=1, now=now + wait + 1e-9).wait is None
            return


def test_a_refused_request_takes_nothing() -> None:
    limiter = Limiter(RateLimit(requests=1, per=10.0), now=0.0)
    limiter.judge(tokens=0, now=0.0)

    waits = [limiter.judge(tokens=0, now=float(now)).wait for now in range(1, 11)]

    assert waits[:9] == pytest.approx([9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0])
    assert waits[9] is None


def test_tokens_are_limited_beside_requests() -> None:
    limiter = Limiter(RateLimit(requests=100, tokens=10, per=10.0), now=0.0)

    verdicts = [limiter.judge(tokens=6, now=0.0) for _ in range(2)]

    assert [verdict.wait for verdict in verdicts] == [None, 2.0]
    assert [v.requests.remaining for v in verdicts if v.requests] == [99, 99]
    assert [v.tokens.remaining for v in verdicts if v.tokens] == [4, 4]


def test_a_request_larger_than_the_limit_waits_for_a_full_bucket_only() -> None:
    limiter = Limiter(RateLimit(tokens=10, per=10.0), now=0.0)

    waits = [limiter.judge(tokens=25, now=now).wait for now in (0.0, 10.0, 25.0)]

    assert waits == [None, 15.0, None]


def test_what_is_left_and_when_all_is_back_are_said() -> None:
    bucket = Limiter(RateLimit(requests=4, per=2.0), now=0.0)
    window = Limiter(RateLimit(requests=4, per=2.0, kind="window"), now=0.0)

    left = [limiter.judge(tokens=0, now=0.5).requests for limiter in (bucket, window)]

    assert [(one.limit, one.remaining, one.full_in) for one in left if one] == [
        (4, 3, 0.5),
        (4, 3, 1.5),
    ]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (None, {}),
        ("seconds", {"Retry-After": "2"}),
        ("ms", {"Retry-After": "2", "retry-after-ms": "1235"}),
    ],
)
def test_a_refusal_says_when_to_come_back(how: object, expected: object) -> None:
    limit = RateLimit(requests=5, retry_after=how)  # type: ignore[arg-type]  # parametrised

    refusal = too_many(limit, 1.2345, wall_clock=0.0)

    assert (refusal.status, refusal.headers) == (429, expected)


def test_a_date_to_come_back_is_never_too_early() -> None:
    limit = RateLimit(requests=5, retry_after="date")

    refusal = too_many(limit, 1.5, wall_clock=1000.1)

    moment = parsedate_to_datetime(refusal.headers["Retry-After"]).timestamp()
    assert moment == 1002


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0.0, "0s"), (1e-10, "0s"), (0.0005, "1ms"), (59.9999, "1m0s"), (3600, "1h0m0s")],
)
def test_a_duration_is_written_as_go_does(seconds: float, written: str) -> None:
    assert go_duration(seconds) == written


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"requests": 0},
        {"requests": 1, "per": 0.0},
        {"requests": 1, "burst": 0.5},
        {"requests": 1, "burst": 2, "kind": "window"},
        {"tokens": 5, "burst": 2},
    ],
)
def test_a_limit_that_limits_nothing_is_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match="a rate limit got"):
        RateLimit(**settings)  # type: ignore[arg-type]  # parametrised
