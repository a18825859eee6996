"""Entries of a usage tracker in DSPy's shape: what they are made of, and their sum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from dspex.core.lm import Usage

Entry = dict[str, Any]
"""Counts by name; details are an entry in an entry."""


def entry_of(usage: Usage) -> Entry:
    """Return the tokens of one call as an entry."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }


def plain_entry(entry: Mapping[str, Any]) -> Entry:
    """Return an entry of a provider's, whose details may be pydantic models."""
    return {
        name: value.model_dump() if isinstance(value, BaseModel) else value
        for name, value in entry.items()
    }


def usage_of(entry: Mapping[str, Any]) -> Usage:
    """Return the tokens of an entry; what it lacks counts as 0.

    Example:
        >>> usage_of({"prompt_tokens": 3, "completion_tokens": None}).total_tokens
        3
    """
    return Usage(
        prompt_tokens=int(entry.get("prompt_tokens") or 0),
        completion_tokens=int(entry.get("completion_tokens") or 0),
    )


def sum_of(entries: Iterable[Entry]) -> Entry:
    """Add entries up, details too. One without `total_tokens` counts its two parts.

    What is no number is not added: the first value of its name stays.

    Example:
        >>> sum_of([{"prompt_tokens": 3}, {"completion_tokens": 2, "by": "you"}])
        {'total_tokens': 5, 'prompt_tokens': 3, 'completion_tokens': 2, 'by': 'you'}
    """
    total: Entry = {}
    for entry in entries:
        parts = {"total_tokens": usage_of(entry).total_tokens}
        total = _added(total, parts | entry)
    return total


def _added(one: Entry, other: Entry) -> Entry:
    added = dict(one)
    for name, value in other.items():
        so_far = added.get(name)
        if so_far is None:
            added[name] = value
        elif isinstance(so_far, dict) and isinstance(value, dict):
            added[name] = _added(so_far, value)
        elif _is_count(so_far) and _is_count(value):
            added[name] = so_far + value
    return added


def _is_count(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
