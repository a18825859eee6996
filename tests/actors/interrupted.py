"""A program that evaluates until it is interrupted; run by `test_interrupt`."""

from __future__ import annotations

import sys
import threading

import dspex
from dspex.core.errors import EvaluationInterrupted
from dspex.testing import FakeProvider
from tests.actors.rows import answer, right, rows


def main() -> None:
    """Say when ten examples are in flight; then wait for Ctrl-C."""
    with FakeProvider(answer=answer) as provider, dspex.Runtime():
        lm = dspex.LM("openai/fake", api_base=provider.base_url)
        evaluate = dspex.Evaluate(devset=rows(50), metric=right, concurrency=10)
        program = dspex.Predict("question -> answer")

        def announce() -> None:
            provider.wait_for_bill(20, 20)
            provider.pause()
            provider.wait_for_in_flight(10, 20)
            print("now", flush=True)

        threading.Thread(target=announce, daemon=True).start()
        try:
            with dspex.context(lm=lm):
                evaluate(program)
        except EvaluationInterrupted as interrupted:
            done = sum(outcome is not None for outcome in interrupted.result.outcomes)
            print(done, interrupted.result.complete, flush=True)
            provider.resume()
            with dspex.context(lm=lm):
                print(evaluate(program, resume=interrupted.result).score, flush=True)
            sys.exit(130)


if __name__ == "__main__":
    main()
