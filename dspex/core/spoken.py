"""Numbers as a person would say them: durations, money. Pure."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Return seconds as a person would say them.

    Example:
        >>> [duration(seconds) for seconds in (0.0123, 4.56, 75, 3720)]
        ['12 ms', '4.6 s', '1 min 15 s', '1 h 2 min']
    """
    if seconds < 0.9995:
        return f"{1_000 * seconds:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, left = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {left} s"
    return f"{minutes // 60} h {minutes % 60} min"


def money(dollars: float) -> str:
    """Return dollars, with more digits where they are few.

    Example:
        >>> [money(dollars) for dollars in (12.5, 0.0042, 0)]
        ['$12.50', '$0.0042', '$0.00']
    """
    return f"${dollars:.2g}" if 0 < dollars < 0.01 else f"${dollars:,.2f}"
