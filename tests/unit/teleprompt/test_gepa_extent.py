"""How much `GEPA` tries: DSPy's reckoning, and what it amounts to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.core.errors import ConfigurationError
from dspex.core.example import Example
from dspex.teleprompt.gepa.gepa_extent import EvolutionExtent, reckoned
from dspex.teleprompt.mipro.extent import Auto

ROWS = [Example(question=str(number)).with_inputs("question") for number in range(100)]


def extent(
    auto: Auto | None = None,
    *,
    max_full_evals: int | None = None,
    max_metric_calls: int | None = None,
) -> EvolutionExtent:
    return EvolutionExtent(
        auto=auto, max_full_evals=max_full_evals, max_metric_calls=max_metric_calls
    )


@pytest.mark.parametrize(
    ("auto", "predictors", "rows", "calls"),
    [
        # What dspy.GEPA(...).auto_budget returns in DSPy 3.4.1.
        ("light", 1, 100, 780),
        ("light", 3, 20, 1275),
        ("medium", 2, 50, 1390),
        ("heavy", 1, 7, 1084),
        ("heavy", 5, 100, 4795),
    ],
)
def test_a_word_stands_for_as_many_examples_as_in_dspy(
    auto: Auto, predictors: int, rows: int, calls: int
) -> None:
    assert extent(auto).calls(predictors, ROWS, ROWS[:rows]) == calls


def test_times_of_all_rows_count_both_sets() -> None:
    assert extent(max_full_evals=3).calls(1, ROWS[:10], ROWS[:5]) == 45
    assert extent(max_full_evals=3).calls(1, ROWS[:10], None) == 30
    assert extent(max_metric_calls=7).calls(1, ROWS[:10], None) == 7


def test_it_is_said_in_one_way() -> None:
    with pytest.raises(ConfigurationError, match="exactly one"):
        extent()
    with pytest.raises(ConfigurationError, match="exactly one"):
        extent("light", max_metric_calls=7)


@given(
    calls=st.integers(1, 200),
    first=st.integers(1, 40),
    minibatch=st.integers(1, 8),
    luck=st.lists(st.sampled_from(["perfect", "worse", "better", "merge"]), min_size=1),
)
def test_no_course_of_an_evolution_leaves_what_was_reckoned(
    calls: int, first: int, minibatch: int, luck: list[str]
) -> None:
    told = reckoned(calls, first, minibatch=minibatch, merges=True)

    # What the package does: all rows first, then steps until so many are scored.
    scored, reflections, turn = first, 0, 0
    while scored < calls:
        what = luck[turn % len(luck)]
        turn += 1
        reflections += what in {"worse", "better"}
        tried = {"perfect": minibatch, "merge": 5}.get(what, 2 * minibatch)
        scored += tried + (first if what in {"better", "merge"} else 0)

    assert told.least <= scored <= told.most
    assert reflections <= told.reflections
