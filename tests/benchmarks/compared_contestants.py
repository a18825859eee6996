"""Who is compared by `tests.benchmarks.compared`, and how each of them is asked.

A contestant is a real program. This module knows its command lines, the settings with
which it asks nobody but the provider it is given, and how its own result is read.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from dspex import ChatAdapter, make_signature
from tests.benchmarks.compared_process import Job, run
from tests.benchmarks.fault_rows import RIGHT
from tests.docs.pages import ROOT

HERE = ROOT / "tests/benchmarks"

QUESTION = "{{question}}"
"""Where the question stands in a prompt."""

Told = dict[str, Any]
"""A result in a contestant's own words: its `score`, and what it `says` beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One evaluation."""

    base_url: str
    examples: int
    workers: int = 16
    fails_every: int = 0
    """The metric raises on one in so many; 0 never."""
    resumable: bool = False
    """Whether it is to go on after its end; who always does needs no telling."""


class Contestant(Protocol):
    """A program that evaluates."""

    name: str

    def starting(self, home: Path) -> Job:
        """Start, load what an evaluation needs, print the version, and leave."""

    def evaluating(self, order: Order, home: Path) -> Job:
        """Evaluate."""

    def going_on(self, order: Order, home: Path) -> Job:
        """Go on with what was killed, as its manual says."""

    def told(self, home: Path, output: str) -> Told:
        """Read the last result, or what the evaluation printed."""


def messages() -> list[dict[str, str]]:
    """Return the prompt that dspex makes, for those who are given one."""
    signature = make_signature("question -> answer")
    asked = ChatAdapter().format(signature, [], {"question": QUESTION})
    return [{"role": turn.role, "content": str(turn.content)} for turn in asked]


class Library:
    """dspex or DSPy: the same lines."""

    LOAD = "import {0} as it; it.LM, it.Evaluate, it.Predict; print(it.__version__)"

    def __init__(self, name: str, python: str) -> None:
        self.name = name
        self._python = python

    def starting(self, home: Path) -> Job:
        return self._job(home, "-c", self.LOAD.format(self.name))

    def evaluating(self, order: Order, home: Path) -> Job:
        words = json.dumps(asdict(order))
        side = str(HERE / "compared_library_side.py")
        # Not with the script's folder: files there are called as modules are.
        return self._job(home, "-P", side, self.name, words)

    def going_on(self, order: Order, home: Path) -> Job:
        return self.evaluating(order, home)

    def told(self, home: Path, output: str) -> Told:
        return last_object(output)

    def _job(self, home: Path, *words: str) -> Job:
        path = {"PYTHONPATH": str(ROOT)} if self.name == "dspex" else {}
        quiet = {
            "DSPEX_HOME": str(home),
            "DSPY_CACHEDIR": str(home),
            # Else DSPy fetches a table of prices when it starts.
            "LITELLM_LOCAL_MODEL_COST_MAP": "true",
        }
        return Job(
            words=[self._python, *words],
            environment={**compiled(home), **quiet, **path},
        )


class Inspect:
    """inspect_ai: a task in a file, and its command line."""

    name = "inspect_ai"
    LOAD = (
        "import inspect_ai as it; from inspect_ai.scorer import exact; "
        "from inspect_ai.solver import generate; from inspect_ai.dataset import Sample;"
        " it.Task, it.eval; print(it.__version__)"
    )

    def __init__(self, python: str) -> None:
        self._python = python

    def starting(self, home: Path) -> Job:
        return self._job(home, "-c", self.LOAD)

    def evaluating(self, order: Order, home: Path) -> Job:
        [system, user] = messages()
        arguments = {
            "examples": order.examples,
            "system": system["content"],
            "user": user["content"],
            "answer": RIGHT,
            "fails_every": order.fails_every,
        }
        config = home / "task.json"
        config.write_text(json.dumps(arguments), encoding="utf-8")
        return self._command(
            home,
            *("eval", f"{HERE / 'compared_inspect_side.py'}@compared"),
            *("--task-config", str(config)),
            *("--model", "openai/gpt-4o-mini", "--model-base-url", order.base_url),
            *self._settings(order),
        )

    def going_on(self, order: Order, home: Path) -> Job:
        return self._command(
            home, "eval-retry", str(self._last_log(home)), *self._settings(order)
        )

    def told(self, home: Path, output: str) -> Told:
        log = self._last_log(home)
        if log is None:
            return {"score": None, "says": f"no log: {output[-200:]}"}
        dump = run(self._command(home, "log", "dump", str(log)), 60.0)
        return told_of_log(json.loads(dump.output))

    def _last_log(self, home: Path) -> Path | None:
        # They are called by their time.
        return max((home / "logs").glob("*.eval"), default=None)

    def _settings(self, order: Order) -> Iterator[str]:
        yield from ("--max-connections", str(order.workers), "--display", "none")
        if order.fails_every:
            yield "--no-fail-on-error"

    def _command(self, home: Path, *words: str) -> Job:
        return self._job(home, "-m", "inspect_ai", *words)

    def _job(self, home: Path, *words: str) -> Job:
        own = {
            "OPENAI_API_KEY": "sk-bench",
            "INSPECT_LOG_DIR": str(home / "logs"),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_CACHE_HOME": str(home / "cache"),
        }
        return Job(words=[self._python, *words], environment={**compiled(home), **own})


def told_of_log(log: dict[str, Any]) -> Told:
    """Read a log of inspect_ai."""
    results = log.get("results") or {}
    scores = results.get("scores") or []
    # The mean, which some scorers call accuracy, stands before its error.
    means = [metric["value"] for it in scores for metric in it["metrics"].values()]
    samples = log.get("samples") or []
    errors = [sample["error"]["message"] for sample in samples if sample.get("error")]
    says = (
        f"{log['status']}, {results.get('completed_samples')} of "
        f"{results.get('total_samples')} samples completed"
    )
    if errors:
        says += f", {len(errors)} with an error, the first: {errors[0]}"
    return {"score": 100 * means[0] if means else None, "says": says}


class Promptfoo:
    """promptfoo: a configuration, and its command line."""

    name = "promptfoo"
    SILENT = (
        "TELEMETRY",
        "UPDATE",
        "SHARING",
        "SHARE_EMAIL_REQUEST",
        "REMOTE_GENERATION",
    )
    FAILING = (
        "if (Number(context.vars.question.slice(1)) % {} === 0) "
        "throw new Error('the metric has a bug');\n"
        "return output === context.vars.answer;"
    )

    def __init__(self, folder: str) -> None:
        self._bin = Path(folder) / "node_modules/.bin"

    def starting(self, home: Path) -> Job:
        return self._command(home, "--version")

    def evaluating(self, order: Order, home: Path) -> Job:
        config = home / "promptfooconfig.json"
        config.write_text(json.dumps(self.config(order)), encoding="utf-8")
        return self._command(home, "eval", "-c", str(config), *self._settings(order))

    def going_on(self, order: Order, home: Path) -> Job:
        return self._command(home, "eval", "--resume", *self._settings(order))

    def told(self, home: Path, output: str) -> Told:
        export = home / "export.json"
        export.unlink(missing_ok=True)
        job = self._command(home, "export", "eval", "latest", "-o", str(export))
        run(job, 60.0)
        if not export.exists():
            return {"score": None, "says": f"no result: {output[-200:]}"}
        return told_of_export(json.loads(export.read_text(encoding="utf-8")))

    def config(self, order: Order) -> dict[str, Any]:
        """Return what a user would write into promptfoo's configuration."""
        metric = {"type": "equals", "value": "{{answer}}"}
        if order.fails_every:
            value = self.FAILING.format(order.fails_every)
            metric = {"type": "javascript", "value": value}
        settings = {"apiBaseUrl": order.base_url, "apiKey": "sk-bench"}
        rows = ({"question": f"q{n}", "answer": RIGHT} for n in range(order.examples))
        return {
            "prompts": [json.dumps(messages())],
            "providers": [{"id": "openai:chat:gpt-4o-mini", "config": settings}],
            "defaultTest": {"assert": [metric]},
            "tests": [{"vars": row} for row in rows],
        }

    def _settings(self, order: Order) -> list[str]:
        quiet = ["--no-cache", "--no-table", "--no-progress-bar", "--no-share"]
        return ["-j", str(order.workers), *quiet]

    def _command(self, home: Path, *words: str) -> Job:
        return Job(
            words=[str(self._bin / "promptfoo"), *words],
            environment={
                # For a Node beside it, where the machine's is too old.
                "PATH": f"{self._bin}{os.pathsep}{os.environ['PATH']}",
                "PROMPTFOO_CONFIG_DIR": str(home),
                **{f"PROMPTFOO_DISABLE_{word}": "1" for word in self.SILENT},
            },
        )


def told_of_export(export: dict[str, Any]) -> Told:
    """Read a result that promptfoo exported."""
    results = export["results"]
    counts = [results["stats"][key] for key in ("successes", "failures", "errors")]
    says = "{} passed, {} failed, {} errors".format(*counts)
    rows = results["results"]
    says += f", {len(rows)} rows"
    errors = [row["error"] for row in rows if row.get("error")]
    if errors:
        says += f", the first error: {errors[0].splitlines()[0]}"
    score = 100 * counts[0] / sum(counts) if sum(counts) else None
    return {"score": score, "says": says}


def compiled(home: Path) -> dict[str, str]:
    """Have Python compile what it imports once in each home."""
    return {"PYTHONPYCACHEPREFIX": str(home / "bytecode")}


def last_object(output: str) -> Told:
    """Read the last line that is a JSON object."""
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if not lines:
        return {"score": None, "says": f"no result: {output[-200:]}"}
    told: Told = json.loads(lines[-1])
    return told


def contestants(
    dspy_python: str | None, inspect_python: str | None, promptfoo: str | None
) -> list[Contestant]:
    """Return those who are named, and dspex."""
    found: list[Contestant] = [Library("dspex", sys.executable)]
    if dspy_python:
        found.append(Library("dspy", dspy_python))
    if inspect_python:
        found.append(Inspect(inspect_python))
    if promptfoo:
        found.append(Promptfoo(promptfoo))
    return found
