"""What a study searches: for which program, with which rows and settings.

It is kept with the study's record, to be shown to people; what decides whether a study
may go on are its digests, see `Order.fingerprints`. Holds no example, no prompt and no
object of the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from dspex.evaluate.metric import metric_names
from dspex.teleprompt.studies.order import Order

_SETS = ("trainset", "valset", "testset")


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What a study searches."""

    program: str
    """The class of the program that was given."""
    predictors: Mapping[str, str] = field(default_factory=dict)
    """Its predictors by name, each with its signature in short."""
    rows: Mapping[str, int] = field(default_factory=dict)
    """By set that was given (`trainset`, `valset`, `testset`), how many rows it has."""
    metrics: tuple[str, ...] = ()
    """The names of the metrics; the first one is the score."""
    settings: Mapping[str, bool | int | float | None] = field(default_factory=dict)
    """The optimiser's settings that are numbers, or flags."""

    @classmethod
    def of(cls, order: Order) -> Self:
        """Return what a study of this order searches."""
        sets = {name: getattr(order, name) for name in _SETS}
        return cls(
            program=type(order.student).__name__,
            predictors={
                name: predictor.signature.signature
                for name, predictor in order.student.named_predictors()
            },
            rows={name: len(rows) for name, rows in sets.items() if rows is not None},
            metrics=() if order.metric is None else metric_names(order.metric),
            settings={
                name: value
                for name, value in order.parameters.items()
                # A text, a model or a mapping may hold what is nobody's business.
                if value is None or isinstance(value, bool | int | float)
            },
        )

    @classmethod
    def of_plain(cls, told: Mapping[str, Any]) -> Self:
        """Return what `plain` told."""
        return cls(**{**told, "metrics": tuple(told["metrics"])})

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "program": self.program,
            "predictors": dict(self.predictors),
            "rows": dict(self.rows),
            "metrics": list(self.metrics),
            "settings": dict(self.settings),
        }

    def lines(self) -> list[str]:
        """Return what there is to say, for people."""
        parts = [
            text if name in ("self", "predict") else f"{name}: {text}"
            for name, text in self.predictors.items()
        ]
        sets = ", ".join(f"{name} {many:,}" for name, many in self.rows.items())
        told = [f"program   {self.program} ({'; '.join(parts)})", f"rows      {sets}"]
        if self.metrics:
            told.append(f"metric    {', '.join(self.metrics)}")
        chosen = {name: it for name, it in self.settings.items() if it is not None}
        if chosen:
            words = ", ".join(f"{name}={value}" for name, value in chosen.items())
            told.append(f"settings  {words}")
        return told
