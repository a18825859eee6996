"""An evaluation as it was ordered on the command line: what `dspex resume` reads again.

It is kept in the head of the run's record, and holds no key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import click

from dspex.cli.models import ModelChoice
from dspex.core import defaults

if TYPE_CHECKING:
    from dspex.evaluate.record.head import RunHead
    from dspex.evaluate.working.traces import KeepTraces
    from dspex.evaluate.working.workplace import Isolate

KEY = "dspex evaluate"
"""Its name among the notes of a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """How an evaluation runs; `None` is the default."""

    concurrency: int | None = None
    """Examples worked on at a time."""
    timeout: float | None = None
    """Seconds one example may take."""
    metric_timeout: float | None = None
    """Seconds of these for the metric."""
    total_timeout: float | None = None
    """Seconds the whole run may take."""
    max_errors: float | None = None
    """Failures after which to stop, or which share of what is settled."""
    metric_range: tuple[float, float] = defaults.METRIC_RANGE
    """The lowest and the highest score the metric gives."""
    trials: int = 1
    """How often each example is measured."""
    isolate: Isolate = "thread"
    """Where program and metric are done."""
    keep_traces: KeepTraces = "wrong"
    """Whose prompts and answers are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to evaluate, on what, by which metric."""

    program: str
    """A signature, or `module:attribute`."""
    data: Path
    """The file of the examples."""
    metric: str
    """The metric, as `--metric` takes it."""
    inputs: tuple[str, ...] = ()
    """The columns a program is given; empty for those of the signature."""
    saved: Path | None = None
    """A saved program to load."""
    cot: bool = False
    """Whether a signature is asked with reasoning."""
    limit: int | None = None
    """Take the first so many examples only."""
    choice: ModelChoice
    """The model."""
    limits: RunLimits
    """How it runs."""
    folder: Path
    """Where it was ordered; modules are looked for there first."""

    def notes(self) -> dict[str, Any]:
        """Return the order as JSON values for the head of a run's record."""
        choice = self.choice
        if _may_hold_a_secret(choice.api_base):
            choice = replace(choice, model=None, api_base=None, api_key_env=None)
        told = {
            "program": self.program,
            "data": str(self.data.absolute()),
            "metric": self.metric,
            "inputs": list(self.inputs),
            "saved": None if self.saved is None else str(self.saved.absolute()),
            "cot": self.cot,
            "limit": self.limit,
            "choice": asdict(choice),
            "limits": asdict(self.limits),
            "folder": str(self.folder),
        }
        return {KEY: told}

    @classmethod
    def of(cls, head: RunHead) -> Self:
        """Return the order a run was begun with.

        Raises:
            click.UsageError: It was not begun on the command line, or by another dspex.
        """
        notes = head.settings.get("notes")
        told = notes.get(KEY) if isinstance(notes, Mapping) else None
        if not isinstance(told, Mapping):
            raise click.UsageError(
                f"the run {head.run!r} was not begun by `dspex evaluate`, so nobody "
                "here knows its program. Go on where it was begun, with "
                f"dspex.Evaluate(..., run={head.run!r})."
            )
        try:
            return cls._read(told)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise click.UsageError(
                f"the run {head.run!r} was begun by dspex {head.version}, whose order "
                "this one cannot read. Give the same `dspex evaluate` again with "
                f"--run {head.run} --resume."
            ) from error

    @classmethod
    def _read(cls, told: Mapping[str, Any]) -> Self:
        known = {field.name for field in fields(RunLimits)}
        limits = {name: one for name, one in told["limits"].items() if name in known}
        if "metric_range" in limits:
            low, high = limits["metric_range"]
            limits["metric_range"] = float(low), float(high)
        return cls(
            program=str(told["program"]),
            data=Path(told["data"]),
            metric=str(told["metric"]),
            inputs=tuple(told["inputs"]),
            saved=None if told["saved"] is None else Path(told["saved"]),
            cot=bool(told["cot"]),
            limit=told["limit"],
            choice=ModelChoice(**told["choice"]),
            limits=RunLimits(**limits),
            folder=Path(told["folder"]),
        )


def _may_hold_a_secret(address: str | None) -> bool:
    """Whether an address has a part in which people put passwords."""
    parts = urlsplit(address or "")
    return "@" in parts.netloc or bool(parts.query or parts.fragment)
