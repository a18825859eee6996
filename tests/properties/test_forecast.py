"""The forecast never ends a search early or late, whatever comes in which order."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from dspex.teleprompt.few_shot.forecast import AHEAD, Forecast, Found
from tests.bootstrap_reference import Reached, one_by_one, scenarios
from tests.tools.bootstrap_side import Scenario


def found(scenario: Scenario, row: int) -> Found:
    """What the rounds on a row come to."""
    errors = 0
    question = scenario["rows"][row]
    for verdict in scenario["script"][question]:
        if isinstance(verdict, str):
            errors += 1
        elif (
            verdict >= scenario["threshold"]
            if scenario["threshold"] is not None
            else verdict
        ):
            return Found(accepted=True, errors=errors)
    return Found(errors=errors)


def worked_through(
    scenario: Scenario, at_once: int, data: st.DataObject
) -> tuple[Forecast, int]:
    """Begin what the forecast allows, and end any of what is open, until it is done.

    Gives the forecast and how many rows were begun.
    """
    forecast = Forecast(
        examples=len(scenario["rows"]),
        demos=scenario["demos"],
        errors=scenario["errors"],
        at_once=at_once,
    )
    following, working = 0, set[int]()
    while not forecast.done:
        while len(working) < forecast.at_once and following < forecast.until:
            working.add(following)
            following += 1
        assert working, "nothing is open, and it is not done"
        row = data.draw(st.sampled_from(sorted(working)))
        working.remove(row)
        forecast.hear(row, found(scenario, row))
        working = {row for row in working if row < forecast.needed}
    return forecast, following


@given(scenarios(), st.integers(1, 16), st.data())
def test_it_ends_where_the_search_one_by_one_ends(
    scenario: Scenario, at_once: int, data: st.DataObject
) -> None:
    expected: Reached = one_by_one(scenario)

    forecast, _ = worked_through(scenario, at_once, data)

    assert forecast.needed == expected.needed
    assert (forecast.stopped_by_errors is not None) == (expected.demos is None)


@given(scenarios(), st.integers(1, 16), st.data())
def test_fewer_than_twice_as_many_as_work_are_begun_in_vain(
    scenario: Scenario, at_once: int, data: st.DataObject
) -> None:
    forecast, begun = worked_through(scenario, at_once, data)

    assert begun - forecast.needed < AHEAD * at_once


@given(scenarios(), st.data())
def test_alone_it_does_nothing_in_vain(scenario: Scenario, data: st.DataObject) -> None:
    forecast, begun = worked_through(scenario, 1, data)

    assert begun == forecast.needed


@given(st.permutations(range(12)), st.integers(1, 6))
def test_what_is_needed_only_ever_shrinks(order: list[int], demos: int) -> None:
    forecast = Forecast(examples=12, demos=demos, errors=math.inf, at_once=4)

    needed = [forecast.needed]
    for number in order:
        forecast.hear(number, Found(accepted=number % 2 == 0))
        needed.append(forecast.needed)

    assert needed == sorted(needed, reverse=True)
    assert needed[-1] == min(12, 2 * demos - 1)
