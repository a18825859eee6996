import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.client.providers.format import Allowance, RateLimits
from dspex.client.providers.rate_limit_headers import go_duration, openai_limits


def headers(of: str, limit: str, remaining: str, reset: str) -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{of}": limit,
        f"x-ratelimit-remaining-{of}": remaining,
        f"x-ratelimit-reset-{of}": reset,
    }


def test_limits_of_openai_are_read() -> None:
    found = openai_limits(
        headers("requests", "60", "59", "1s")
        | headers("tokens", "150000", "149984", "6m0s")
    )

    assert found == RateLimits(
        requests=Allowance(limit=60, remaining=59, reset_in=1.0),
        tokens=Allowance(limit=150_000, remaining=149_984, reset_in=360.0),
    )


def test_no_headers_tell_nothing() -> None:
    assert openai_limits({}) == RateLimits()


@pytest.mark.parametrize("limit", ["-1", "0"])
def test_azure_that_does_not_tell_tells_nothing(limit: str) -> None:
    assert openai_limits(headers("tokens", limit, limit, "0")) == RateLimits()


def test_nothing_left_is_told_although_it_is_nought() -> None:
    found = openai_limits(headers("requests", "10", "0", "12"))

    assert found.requests == Allowance(limit=10, remaining=0, reset_in=12.0)


@pytest.mark.parametrize("value", ["", "many", "1.5", "-3", "9" * 5_000])
def test_number_that_makes_no_sense_counts_as_left_out(value: str) -> None:
    found = openai_limits(
        {
            "x-ratelimit-limit-requests": "10",
            "x-ratelimit-remaining-requests": value,
        }
    )

    assert found.requests == Allowance(limit=10)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0.0),
        ("12ms", 0.012),
        ("7.66s", 7.66),
        ("1m26.4s", 86.4),
        ("24h0m0s", 86_400.0),
        ("250us", 0.00025),
        ("250\u00b5s", 0.00025),
        ("5ns", 5e-9),
        (" 60 ", 60.0),
        ("1.5", 1.5),
    ],
)
def test_duration_as_go_writes_it(text: str, seconds: float) -> None:
    assert go_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["", "s", "-1s", "1d", "1s!", "x1s", "1 s", "nan", "inf", "\u0661s", "9" * 400],
)
def test_text_that_is_no_duration(text: str) -> None:
    assert go_duration(text) is None


@given(text=st.text("0123456789.hmsun\u00b5 -", max_size=50))
def test_any_text_is_seconds_or_nothing(text: str) -> None:
    seconds = go_duration(text)

    assert seconds is None or 0 <= seconds < float("inf")


@given(
    hours=st.integers(0, 99), minutes=st.integers(0, 59), seconds=st.integers(0, 59_999)
)
def test_steps_are_added_up(hours: int, minutes: int, seconds: int) -> None:
    text = f"{hours}h{minutes}m{seconds / 1000}s"

    expected = hours * 3600 + minutes * 60 + seconds / 1000
    assert go_duration(text) == pytest.approx(expected)
