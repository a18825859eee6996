"""A program's state for people: its instructions and its demos. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from dspex.evaluate.results.cells import text_of

LONGEST_VALUE: Final = 200
"""Characters of one value of a demo that are shown."""
_NOT_SHOWN: Final = frozenset({"augmented"})
"""What a demo has beside its fields."""


def predictors_in(state: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the state of each predictor by its name, from what `dump_state` returned.

    A program that is one predictor has its state without a name; it is `self` here, as
    in `named_predictors`.

    Example:
        >>> alone = {"demos": [], "signature": {"instructions": "Name it."}}
        >>> list(predictors_in(alone)), list(predictors_in({"hop": alone}))
        (['self'], ['hop'])
    """
    if _is_predictor(state):
        return {"self": state}
    return {name: part for name, part in state.items() if _is_predictor(part)}


def instructions_in(state: Mapping[str, Any]) -> dict[str, str]:
    """Return the instruction of each predictor by its name."""
    return {
        name: str(part["signature"].get("instructions", ""))
        for name, part in predictors_in(state).items()
    }


def demos_in_state(state: Mapping[str, Any]) -> int:
    """Return how many demos a program has, all predictors together."""
    return sum(len(part["demos"]) for part in predictors_in(state).values())


def program_lines(state: Mapping[str, Any]) -> Iterator[str]:
    """Yield instructions and demos, predictor by predictor."""
    for name, part in predictors_in(state).items():
        yield f"  {name}"
        first, *more = str(part["signature"].get("instructions", "")).splitlines() or [
            ""
        ]
        yield f"    instruction  {first}"
        yield from (f"                 {line}" for line in more)
        for number, demo in enumerate(part["demos"]):
            shown = (f"{key}={_short(demo[key])}" for key in demo if _is_field(key))
            yield f"    demo {number:<7} {', '.join(shown)}"


def _is_predictor(part: Any) -> bool:
    return (
        isinstance(part, Mapping)
        and isinstance(part.get("signature"), Mapping)
        and isinstance(part.get("demos"), list)
    )


def _is_field(key: str) -> bool:
    return key not in _NOT_SHOWN and not key.startswith("dspy_")


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else text_of(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."
