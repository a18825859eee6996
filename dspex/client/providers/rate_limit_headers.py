"""What a provider's headers say of its limits.

Unknown stays unknown: a header that makes no sense counts as left out, because a limit
that was misread would slow a client down for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from dspex.client.providers.format import Allowance, RateLimits

_MAX_LENGTH = 40
_UNKNOWN = RateLimits()
_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "\N{MICRO SIGN}s": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_STEP = re.compile(r"(\d+(?:\.\d*)?)(ns|us|\u00b5s|ms|s|m|h)", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d*)?", re.ASCII)


def openai_limits(headers: Mapping[str, str]) -> RateLimits:
    """Read the `x-ratelimit-*` headers of OpenAI, Azure, Groq and many others.

    Example:
        >>> headers = {
        ...     "x-ratelimit-limit-requests": "60",
        ...     "x-ratelimit-remaining-requests": "59",
        ...     "x-ratelimit-reset-requests": "1s",
        ... }
        >>> openai_limits(headers).requests
        Allowance(limit=60, remaining=59, reset_in=1.0)
    """
    if not any(name.startswith("x-ratelimit-") for name in headers):
        return _UNKNOWN
    return RateLimits(
        requests=_allowance(headers, "requests"), tokens=_allowance(headers, "tokens")
    )


def anthropic_limits(
    headers: Mapping[str, str], wall_clock: Callable[[], float]
) -> RateLimits:
    """Read the `anthropic-ratelimit-*` headers.

    Anthropic gives the tightest limit of tokens as `tokens`. Where that is missing, it
    is the scarcer of those sent and those received.

    Example:
        >>> headers = {
        ...     "anthropic-ratelimit-requests-limit": "50",
        ...     "anthropic-ratelimit-requests-reset": "1970-01-01T00:00:07Z",
        ... }
        >>> anthropic_limits(headers, lambda: 5.0).requests
        Allowance(limit=50, remaining=None, reset_in=2.0)
    """

    def allowance(of: str) -> Allowance:
        prefix = f"anthropic-ratelimit-{of}"
        return Allowance(
            limit=_positive(headers.get(f"{prefix}-limit")),
            remaining=_positive(headers.get(f"{prefix}-remaining")),
            reset_in=_until(headers.get(f"{prefix}-reset", ""), wall_clock),
        )

    tokens = allowance("tokens")
    if tokens == Allowance():
        sent, received = allowance("input-tokens"), allowance("output-tokens")
        tokens = min(sent, received, key=_share_left)
    return RateLimits(requests=allowance("requests"), tokens=tokens)


def go_duration(text: str) -> float | None:
    """Read a duration as Go writes it, or a plain number of seconds.

    Returns:
        Seconds; `None` when the text is neither.

    Example:
        >>> [go_duration(text) for text in ("6m0s", "12ms", "7", "soon")]
        [360.0, 0.012, 7.0, None]
    """
    text = text.strip()
    if len(text) > _MAX_LENGTH:
        return None
    if _NUMBER.fullmatch(text):
        return float(text)
    steps = _STEP.findall(text)
    if not steps or "".join(number + unit for number, unit in steps) != text:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in steps)


def _allowance(headers: Mapping[str, str], of: str) -> Allowance:
    limit = _count(headers.get(f"x-ratelimit-limit-{of}"))
    if limit is not None and limit <= 0:
        # Azure says -1 or 0 where it does not tell; then the other two mean nothing.
        return Allowance()
    remaining = _count(headers.get(f"x-ratelimit-remaining-{of}"))
    return Allowance(
        limit=limit,
        remaining=None if remaining is None or remaining < 0 else remaining,
        reset_in=go_duration(headers.get(f"x-ratelimit-reset-{of}", "")),
    )


def _count(text: str | None) -> int | None:
    if text is None or len(text) > _MAX_LENGTH:
        return None
    try:
        return int(text)
    except ValueError:
        return None


def _positive(text: str | None) -> int | None:
    count = _count(text)
    return None if count is None or count < 0 else count


def _share_left(allowance: Allowance) -> float:
    if not allowance.limit or allowance.remaining is None:
        return 1.0
    return allowance.remaining / allowance.limit


def _until(text: str, wall_clock: Callable[[], float]) -> float | None:
    """Seconds until a moment, given as RFC 3339 has it."""
    try:
        moment = datetime.fromisoformat(text.strip())
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, aware.timestamp() - wall_clock())
    except (ValueError, OverflowError):
        return None
