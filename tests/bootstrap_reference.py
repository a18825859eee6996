"""What `BootstrapFewShot` has to give: the search one example after the other.

Straightforward and without any library, to be compared with.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.tools.bootstrap_side import Demos, Scenario

PREDICTORS = ("plan", "answer")

VERDICTS: list[list[float | str]] = [
    [0.0, 1.0],
    [0.0, 0.0, 0.0, 1.0],
    [0.0, 0.5, 1.0],
    [0.0, 0.0, 1.0, "program", "metric"],
]
"""What a metric may give, in several mixtures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How the search ends."""

    demos: Demos | None
    """By predictor; `None` when it raises."""
    needed: int
    """Rows it looks at."""


def one_by_one(scenario: Scenario) -> Reached:
    """Take one row after the other, until there are enough demos or errors."""
    accepted: dict[int, int] = {}
    errors = needed = 0
    for row, question in enumerate(scenario["rows"]):
        if len(accepted) >= scenario["demos"]:
            break
        needed = row + 1
        for number in range(scenario["rounds"]):
            verdict = scenario["script"][question][number]
            if isinstance(verdict, str):
                errors += 1
                if errors >= scenario["errors"]:
                    return Reached(demos=None, needed=needed)
            elif accepts(verdict, scenario["threshold"]):
                accepted[row] = number
                break
    return Reached(demos=filled_up(scenario, accepted), needed=needed)


def accepts(verdict: float, threshold: float | None) -> bool:
    """Whether an answer becomes a demo."""
    return bool(verdict) if threshold is None else verdict >= threshold


def filled_up(scenario: Scenario, accepted: dict[int, int]) -> Demos:
    """The demos made, and as many plain rows as there is room for."""
    rows = scenario["rows"]
    rest = [question for row, question in enumerate(rows) if row not in accepted]
    random.Random(0).shuffle(rest)
    rng = random.Random(0)
    demos: Demos = {}
    for name in PREDICTORS:
        made = [made_by(name, rows[row], number) for row, number in accepted.items()]
        room = max(0, min(scenario["labeled"] - len(made), len(rest)))
        plain = [
            {"question": f"q{question}", "plan": "-", "answer": "-"}
            for question in rng.sample(rest, room)
        ]
        demos[name] = [*made, *plain]
    return demos


def made_by(name: str, question: int, number: int) -> dict[str, object]:
    """The demo a predictor's step leaves."""
    told = f"q{question} {number}"
    step = {"augmented": True, "question": f"q{question}", "plan": f"plan {told}"}
    return step if name == "plan" else {**step, "answer": f"answer {told}"}


@st.composite
def scenarios(draw: st.DrawFn, most_rows: int = 30) -> Scenario:
    """Draw a search; answers, errors and doubled rows in any mixture."""
    questions = draw(st.integers(1, most_rows))
    rounds = draw(st.integers(1, 3))
    number = st.sampled_from(draw(st.sampled_from(VERDICTS)))
    script = draw(
        st.lists(
            st.lists(number, min_size=rounds, max_size=rounds),
            min_size=questions,
            max_size=questions,
        )
    )
    doubled = draw(st.lists(st.integers(0, questions - 1), max_size=3))
    return Scenario(
        rows=[*range(questions), *doubled],
        script=script,
        demos=draw(st.integers(1, 6)),
        labeled=draw(st.integers(0, 8)),
        rounds=rounds,
        threshold=draw(st.sampled_from([None, 0.5, 1.0])),
        errors=draw(st.integers(1, 12)),
    )
