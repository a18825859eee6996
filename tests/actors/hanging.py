"""A program whose requests hang until Ctrl-C; run by `test_client_faults`."""

from __future__ import annotations

import sys
import threading

import dspex
from dspex.testing import FakeProvider, Hang
from tests.actors.lab import PATIENT, ask

CALLERS = 8


def main() -> None:
    """Ask on many threads and on this one; then wait for Ctrl-C."""
    with FakeProvider() as provider:
        provider.misbehave(Hang())
        with dspex.Runtime():
            lm = dspex.LM("openai/fake", api_base=provider.base_url, cache=False)
            others = ask(lm, map(str, range(CALLERS)))

            def announce() -> None:
                provider.wait_for_in_flight(CALLERS + 1, PATIENT)
                print("now", flush=True)

            threading.Thread(target=announce, daemon=True).start()
            try:
                lm("on the main thread")
            except KeyboardInterrupt:
                print("interrupted", flush=True)
        # The runtime is over, so nobody can be waiting for it.
        print({type(error).__name__ for error in others.outcomes()}, flush=True)
        provider.wait_for_idle(PATIENT)
        print({billed.fate for billed in provider.bill}, flush=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
