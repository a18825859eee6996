"""A gate for CI: a change may not make the program worse. Made to be copied.

    python ci_gate.py             measure the accepted program and the changed one
    python ci_gate.py --accept    keep the changed one as the accepted one

`accepted.json` is the program as it was last accepted: its instructions, fields and
demonstrations. It belongs into the repository, beside the code. Exit codes: 0 the
change may be merged; 1 it is not shown to be good enough; 75 not everything could be
measured, so try again later; 78 nothing was accepted yet.

With OPENAI_API_KEY set, the real model answers. Without, a fake provider on this
machine does, so that the gate can be tried, and tested, offline.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dspex
from dspex.metrics import exact_match
from dspex.testing import FakeProvider, chat_answer, inputs_of

MODEL = "openai/gpt-4o-mini"
MARGIN = -5.0  # points: so much worse the changed program may be at most
REPORT = "gate.html"
ACCEPTED = "accepted.json"

OK, NOT_BETTER, TRY_AGAIN, NOTHING_ACCEPTED = 0, 1, 75, 78


def candidate() -> dspex.Predict:
    """The program as the code makes it now. Put your own in its place."""
    signature = dspex.make_signature("country -> capital")
    told = signature.with_instructions("Give the name of the capital alone.")
    return dspex.Predict(told)


def examples() -> Sequence[dspex.Example]:
    """What both programs are measured on. The margin asks for about a hundred."""
    path = Path(__file__).with_name("capitals.csv")
    return dspex.load(path, inputs=["country"])


@contextmanager
def model(rows: Sequence[dspex.Example]) -> Iterator[dspex.LM]:
    """The real model where there is a key, else one that likes to talk."""
    if os.environ.get("OPENAI_API_KEY"):
        yield dspex.LM(MODEL)
        return
    print("OPENAI_API_KEY is not set: a fake provider answers.")
    known = {row.country: row.capital for row in rows}

    def answer(messages: Sequence[Mapping[str, Any]]) -> str:
        country = inputs_of(messages)["country"]
        capital = known[country]
        if "alone" not in messages[0]["content"]:
            capital = f"The capital of {country} is {capital}."
        return chat_answer(capital=capital)

    with FakeProvider(answer=answer) as provider:
        yield dspex.LM(MODEL, api_base=provider.base_url, api_key="fake")


def accepted(folder: Path) -> dspex.Predict:
    """The program that was accepted last."""
    program = candidate()
    program.load(folder / ACCEPTED)
    return program


def gate(folder: Path) -> int:
    """Measure both, write the page, and say whether the change may be merged."""
    if not (folder / ACCEPTED).exists():
        print(f"There is no {ACCEPTED} yet: run this with --accept, and commit it.")
        return NOTHING_ACCEPTED
    rows = examples()
    evaluate = dspex.Evaluate(devset=rows, metric=exact_match("capital"))
    with model(rows) as lm, dspex.context(lm=lm):
        try:
            before, after = evaluate(accepted(folder)), evaluate(candidate())
        except dspex.EvaluationError as error:
            print(error)
            # A program that raises is no outage: another try would not help it.
            away = isinstance(error.__cause__, dspex.LMError)
            return TRY_AGAIN if away else NOT_BETTER
    print(f"accepted: {before}", f"changed:  {after}", sep="\n")
    accepted_one, changed_one = "the accepted program", "the changed program"
    found = dspex.compare(before, after, names=(accepted_one, changed_one))
    found.report(folder / REPORT)
    try:
        after.assert_better_than(
            before, margin=MARGIN, names=(changed_one, accepted_one)
        )
    except dspex.IncompleteResultError as error:
        print(error)
        return TRY_AGAIN
    except dspex.NotBetterError as error:
        print(error)
        return NOT_BETTER
    print(f"May be merged: {found.difference:+.1f} points.")
    return OK


def main() -> int:
    """Run the gate, or accept the program as it is."""
    parser = argparse.ArgumentParser(description="A gate for CI.")
    parser.add_argument("--accept", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent)
    chosen = parser.parse_args()
    if chosen.accept:
        candidate().save(chosen.folder / ACCEPTED)
        print(f"Accepted: {chosen.folder / ACCEPTED}")
        return OK
    return gate(chosen.folder)


if __name__ == "__main__":
    sys.exit(main())
