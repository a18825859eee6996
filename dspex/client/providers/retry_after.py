"""When a provider wants to be asked again, as its headers say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from math import isfinite


def retry_after(
    headers: Mapping[str, str], wall_clock: Callable[[], float]
) -> float | None:
    """Read how many seconds a provider asks to wait.

    `retry-after-ms` wins over `retry-after`, which is a number of seconds or a date.

    Returns:
        Seconds, at least 0; `None` when there is no such header or it makes no sense.

    Example:
        >>> retry_after({"retry-after": "2.5"}, lambda: 0.0)
        2.5
        >>> retry_after({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}, lambda: 50.0)
        10.0
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after", "")
    seconds = _number(text)
    return seconds if seconds is not None else _until(text, wall_clock)


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """Read the provider's own advice, `x-should-retry`; `None` when it gives none."""
    advice = headers.get("x-should-retry", "").strip().lower()
    return {"true": True, "false": False}.get(advice)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) and number >= 0 else None


def _until(text: str, wall_clock: Callable[[], float]) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # A date without a zone is meant as GMT, which is the only one HTTP allows.
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, aware.timestamp() - wall_clock())
