import pytest

from dspex.client.providers.retry_after import retry_after, should_retry


def now() -> float:
    return 1_000.0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": " 0.25 "}, 0.25),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "3"}, 3.0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "later"}, None),
        ({"retry-after": "Thu, 01 Jan 1970 00:17:40 GMT"}, 60.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:17:40"}, 60.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"retry-after": "Thu, 99 Jan 1970 00:00:00 GMT"}, None),
    ],
)
def test_seconds_asked_for(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after(headers, now) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("true", True), (" False", False), ("maybe", None)]
)
def test_advice_of_the_provider(text: str, expected: bool | None) -> None:
    assert should_retry({"x-should-retry": text}) is expected


def test_no_advice() -> None:
    assert should_retry({}) is None
