"""Two providers behind one model: limits, a budget, and a fallback for an outage.

    python two_providers.py

With OPENAI_API_KEY and ANTHROPIC_API_KEY set, the two answer, for about a tenth of a
cent. Without them, two fake providers on this machine do, and half way the first one is
switched off.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dspex
from dspex.metrics import exact_match
from dspex.testing import FakeProvider, answers_by_input

FIRST, SECOND = "openai/gpt-4o-mini", "anthropic/claude-haiku-4-5"
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")

CONFIG = dspex.Config(
    persist=False,  # each run asks anew
    breaker_failures=3,
    max_outage=1.0,  # with a fallback at hand, nobody needs to wait for long
)


@dataclass(frozen=True, kw_only=True)
class Providers:
    """Where the two models are reached, and how the first is made to fail."""

    first: str | None = None  # None is the provider's own address
    second: str | None = None
    key: str | None = None  # None is read from the environment
    break_first: Callable[[], None] | None = None


@contextmanager
def providers(rows: Sequence[dspex.Example]) -> Iterator[Providers]:
    """Real ones where there are keys, else two fake ones that know the rows."""
    if all(os.environ.get(name) for name in KEYS):
        print(f"{FIRST} answers, and {SECOND} when it cannot.")
        yield Providers()
        return
    print(f"{' and '.join(KEYS)} are not both set: two fake providers answer.")
    known = answers_by_input({row.country: {"capital": row.capital} for row in rows})
    with FakeProvider(answer=known) as first, FakeProvider(answer=known) as second:
        yield Providers(
            first=first.base_url,
            second=second.base_url,
            key="fake",
            break_first=first.stop,
        )


def model(where: Providers) -> dspex.LM:
    """The first provider's model, which the second one's stands in for."""
    second = dspex.LM(
        SECOND,
        api_base=where.second,
        api_key=where.key,
        max_in_flight=4,
        max_tokens=50,
    )
    return dspex.LM(
        FIRST,
        api_base=where.first,
        api_key=where.key,
        requests_per_minute=300,
        max_in_flight=8,
        num_retries=1,
        fallbacks=[second],
        max_tokens=50,
    )


def measure(title: str, rows: Sequence[dspex.Example], lm: dspex.LM) -> None:
    """Score the rows, and say who answered and what that cost."""
    lm.history.clear()
    score = dspex.Evaluate(devset=rows, metric=exact_match("capital"))
    print(f"\n{title}: {score(dspex.Predict('country -> capital'))}")
    calls = list(lm.history)
    for name, count in Counter(call["response_model"] for call in calls).items():
        costs = [call["cost"] for call in calls if call["response_model"] == name]
        print(f"  {count} answers of {name}, ${sum(costs):.6f}")


def main() -> None:
    """Measure in two halves; the fake first provider is down in the second one."""
    path = Path(__file__).with_name("capitals.csv")
    rows = dspex.load(path, inputs=["country"])[:24]
    budget = dspex.Budget(dollars=0.05, calls=100, name="capitals")

    with providers(rows) as where, dspex.Runtime(CONFIG), budget:
        lm = model(where)
        with dspex.context(lm=lm):
            measure("The first half", rows[:12], lm)
            if where.break_first is not None:
                where.break_first()
                print("\nNow the first provider is down.")
            measure("The second half", rows[12:], lm)
    print(f"\n{budget}")
    assumed = budget.spent.assumed
    print(f"{assumed} of these requests broke, and count with all they may have cost.")


if __name__ == "__main__":
    main()
