"""What an evaluation makes of faults, beside DSPy: one line for each library and row.

Run it with `python -m tests.benchmarks.faults [--json] [--dspy-python PATH]
[--rows NUMBERS] [--patience SECONDS]`. dspex always runs, DSPy when its Python is
given, both with the very same lines (`faults_side`), 16 at a time, in a fresh process
against a fresh provider.

For each: the seconds to the result, the requests on the provider's bill (and how many
of them its limit refused), the score or what the error says, what was kept, and the
seconds the process lived on after its result. Who has no result, or does not exit, is
killed after `--patience` seconds, and the row says so. For the row of DSPy that takes
two minutes, give it 150.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from dspex.testing import FakeProvider
from tests.benchmarks.client import listed
from tests.benchmarks.fault_rows import ROWS, FaultRow
from tests.docs.pages import ROOT

SIDE = ROOT / "tests/benchmarks/faults_side.py"

SECONDS_TO_WARM_UP = 120.0

Line = dict[str, Any]
"""What one library made of one row."""


class Side:
    """A process that evaluates."""

    def __init__(self, python: str, library: str, home: Path, order: Line) -> None:
        self._process = subprocess.Popen(
            # Not with the script's folder: files there are called as modules are.
            [python, "-P", SIDE, library, json.dumps(order)],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT) if library == "dspex" else "",
                "DSPEX_HOME": str(home),
                "DSPY_CACHEDIR": str(home),
                "TQDM_DISABLE": "1",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        # Imports and warming up are not part of the row.
        self._line(SECONDS_TO_WARM_UP)

    def send(self, number: int) -> None:
        """Send the process a signal."""
        self._process.send_signal(number)

    def result(self, patience: float) -> Line:
        """Wait for the line that says what came of it, and for the process's end."""
        text = self._line(patience)
        if not text:
            return {"error": f"no result after {patience:g} s; killed"}
        told: Line = json.loads(text)
        return {**told, **self._exit(patience)}

    def _line(self, patience: float) -> str:
        """The next line, or nothing when there is none in time, and nobody then."""
        stdout = self._process.stdout
        assert stdout is not None
        # A watch and not a timeout of the read: a pipe has none.
        watch = threading.Timer(patience, self._process.kill)
        watch.start()
        text = stdout.readline()
        watch.cancel()
        return text

    def _exit(self, patience: float) -> Line:
        began = time.monotonic()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self.end()
            return {"exit_s": None, "exit": f"still alive after {patience:g} s; killed"}
        return {"exit_s": round(time.monotonic() - began, 2)}

    def end(self) -> None:
        """Kill the process, and wait until it is gone."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def line(row: FaultRow, python: str, library: str, patience: float) -> Line:
    """Run one row with one library."""
    with (
        FakeProvider(answer=row.answer) as warm,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
        FakeProvider(
            answer=row.answer, latency=row.latency, limit=row.limit, seed=1
        ) as provider,
    ):
        row.spoil(provider)
        urls = {"base_url": provider.base_url, "warm_url": warm.base_url}
        order = {**row.order, **urls}
        side = Side(python, library, Path(home), order)
        told: Line = {}
        if row.disturb is not None:
            provider.wait_for_bill(row.after, patience)
            told["before"] = len(provider.bill)
        if row.disturb == "interrupt":
            side.send(signal.SIGINT)
        if row.disturb == "kill":
            side.end()
            told["before"] = len(provider.bill)
            side = Side(python, library, Path(home), order)
        told.update(side.result(patience))
        side.end()
        bill = provider.bill
    told["requests"] = len(bill)
    told["refused"] = sum(billed.limited for billed in bill)
    return told


def text_of(library: str, told: Line) -> str:
    """Write a line for people."""
    words = [f"{told['wall_s']:.1f} s"] if "wall_s" in told else []
    words.append(f"{told['requests']} requests")
    if told["refused"]:
        words.append(f"{told['refused']} refused")
    if "before" in told:
        words.append(f"{told['before']} before it was disturbed")
    if "score" in told:
        words.append(f"score {told['score']:g}")
    if told.get("kept") is not None:
        words.append(f"kept {told['kept']}")
    if "exit" in told or told.get("exit_s", 0.0) >= 1:
        words.append(told.get("exit") or f"exit {told['exit_s']:.1f} s later")
    said = told.get("error") or told.get("says", "").partition("\n")[0]
    return f"    {library:6} {', '.join(words)}\n           {said.splitlines()[:1]}"


def main() -> None:
    """Run every row, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--dspy-python", help="a Python that has DSPy")
    parser.add_argument("--rows", type=listed(int), default=[*range(len(ROWS))])
    parser.add_argument("--patience", type=float, default=20.0)
    options = parser.parse_args()
    pythons = {"dspex": sys.executable}
    if options.dspy_python:
        pythons["dspy"] = options.dspy_python
    table: list[Line] = []
    for number in options.rows:
        row = ROWS[number]
        print(f"{number} {row.name}", file=sys.stderr, flush=True)
        lines: Line = {"number": number, "name": row.name}
        for library, python in pythons.items():
            lines[library] = line(row, python, library, options.patience)
            print(text_of(library, lines[library]), file=sys.stderr, flush=True)
        table.append(lines)
    if options.json:
        print(json.dumps({"patience_s": options.patience, "rows": table}, indent=2))


if __name__ == "__main__":
    main()
