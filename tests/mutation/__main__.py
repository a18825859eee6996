"""Mutation testing: is each change to the pure modules noticed by a test?

`python -m tests.mutation` changes the modules of `targets.py` in every small way that
mutmut knows, and runs their quick tests on each. It ends with 0 when each mutant was
noticed, or is in `survivors.toml` with the reason why it makes no difference.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tests.mutation import engine, survivors
from tests.mutation.mutation import Mutation
from tests.mutation.survivors import Verdict
from tests.mutation.targets import TARGETS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    options = _parser().parse_args(arguments)
    listed = survivors.read(survivors.FILE.read_text(encoding="utf-8"))
    chosen = [
        target
        for target in TARGETS
        if not options.module or target.module in options.module
    ]
    verdicts = []
    for target in chosen:
        if not options.json:
            print(f"mutating {target.file} ...", flush=True)
        try:
            outcome = engine.run(target)
        except engine.MutmutError as error:
            print(error, file=sys.stderr)
            return 2
        verdict = survivors.compare(target.module, outcome, listed)
        verdicts.append(verdict)
        if not options.json:
            _print(verdict)
    if options.json:
        print(json.dumps([_as_json(verdict) for verdict in verdicts], indent=2))
    return 0 if all(verdict.holds for verdict in verdicts) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutation",
        description="Change the pure modules; see whether a test notices.",
    )
    parser.add_argument(
        "--module",
        action="append",
        choices=[target.module for target in TARGETS],
        help="only this one; may be given several times",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document, nothing else"
    )
    return parser


def _print(verdict: Verdict) -> None:
    groups = {
        "the tests hang under": verdict.outcome.timed_out,
        "NO TEST REACHES, or the run broke": verdict.outcome.undecided,
        "NOT IN THE LIST: kill it with a test, or list it with its reason": (
            verdict.unlisted
        ),
        "STALE, no such survivor any more: take it off the list": verdict.stale,
    }
    for title, mutations in groups.items():
        for mutation in mutations:
            print(f"{title}\n{mutation}\n")
    counts = verdict.summary()
    module = counts.pop("module")
    told = [f"{count} {name.replace('_', ' ')}" for name, count in counts.items()]
    print(f"{module}: {', '.join(told)}")


def _as_json(verdict: Verdict) -> dict[str, Any]:
    def shown(mutations: Sequence[Mutation]) -> list[dict[str, str]]:
        return [asdict(mutation) for mutation in mutations]

    return {
        **verdict.summary(),
        "mutants_timed_out": shown(verdict.outcome.timed_out),
        "mutants_undecided": shown(verdict.outcome.undecided),
        "mutants_listed": shown(verdict.listed),
        "mutants_unlisted": shown(verdict.unlisted),
        "mutants_stale": shown(verdict.stale),
    }


if __name__ == "__main__":
    sys.exit(main())
