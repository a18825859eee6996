"""The programs of a daemon that works for long."""

from __future__ import annotations

import random
from typing import Any

import dspex
from dspex.runtime.runtime import current_runtime
from tests.actors.rows import right, rows

ask = dspex.Predict("question -> answer")
"""Asks the model of the configuration."""


def evaluated(run: str, examples: int) -> dict[str, Any]:
    """Evaluate, with a record."""
    evaluate = dspex.Evaluate(
        devset=rows(examples),
        metric=right,
        concurrency=4,
        run=run,
        display_progress=False,
    )
    result = evaluate(ask)
    return {"score": result.score, "complete": result.complete}


def kill() -> dict[str, str]:
    """Kill one of the tree's actors, any but the supervisors."""
    runtime = current_runtime()
    workers = [
        node.name
        for node in runtime.tree().walk()
        if node.name is not None and not node.children and "upervisor" not in node.kind
    ]
    name = random.choice(workers)
    ref = runtime.start().registry.whereis(name)
    return {"killed": name if ref is not None and ref.kill() else ""}
