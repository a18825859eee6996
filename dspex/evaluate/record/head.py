"""What a run is a run of: kept when it begins, compared when it goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprints:
    """Digests of all that decides what a run measures, by what a person calls it."""

    program: Mapping[str, str] = field(default_factory=dict)
    """By part: an instruction, a demo, a signature's field, the code of a class."""
    metric: Mapping[str, str] = field(default_factory=dict)
    """By part: the metric itself, and what it uses."""
    models: Mapping[str, str] = field(default_factory=dict)
    """By where it is used: the model's name, and a digest of its settings."""
    python: str = ""
    """The version of Python, under which alone digests of code can be compared."""


Kind = Literal["evaluation", "study"]
"""What a run is: an evaluation, or an optimiser's study, whose steps are its notes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHead:
    """The head of a run's record."""

    run: str
    """The run's name."""
    created: float
    """When it began, in seconds since 1970."""
    version: str
    """The dspex that began it."""
    fingerprints: Fingerprints = field(default_factory=Fingerprints)
    """What it measures."""
    trials: int = 1
    """Repetitions of each example."""
    total: int | None = None
    """Examples of the set; `None` for a stream."""
    metrics: tuple[str, ...] = ()
    """The metrics' names, the one that is the score first."""
    failure_score: float = 0.0
    """What an example without a score adds to the mean."""
    metric_range: tuple[float, float] = (0.0, 1.0)
    """The lowest and the highest score there can be."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """How it was ordered, in JSON values: concurrency, timeouts, limits."""
    kind: Kind = "evaluation"
    """What it is."""
    part_of: str | None = None
    """The study whose part it is; `None` for a run by itself."""

    def to_json(self) -> str:
        """Return the head as text for the file."""
        made = self.fingerprints
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        told["settings"] = dict(self.settings)
        told["fingerprints"] = {
            "program": dict(made.program),
            "metric": dict(made.metric),
            "models": dict(made.models),
            "python": made.python,
        }
        return json.dumps(told, default=str)

    @classmethod
    def from_json(cls, text: str) -> RunHead:
        """Return the head of such a text; what a newer dspex added is left out.

        Raises:
            ValueError: It is no head.
            TypeError: It is no head.
            KeyError: It is no head.
        """
        told = json.loads(text)
        low, high = told["metric_range"]
        made = told["fingerprints"]
        return cls(
            run=str(told["run"]),
            created=float(told["created"]),
            version=str(told["version"]),
            fingerprints=Fingerprints(
                program=made["program"],
                metric=made["metric"],
                models=made["models"],
                python=str(made["python"]),
            ),
            trials=int(told["trials"]),
            total=told["total"],
            metrics=tuple(told["metrics"]),
            failure_score=float(told["failure_score"]),
            metric_range=(float(low), float(high)),
            settings=told["settings"],
            kind=told.get("kind", "evaluation"),
            part_of=told.get("part_of"),
        )
