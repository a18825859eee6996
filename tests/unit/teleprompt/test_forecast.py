"""What the forecast says, by example."""

from __future__ import annotations

import math

from dspex.teleprompt.few_shot.forecast import Forecast, Found

YES, NO, ERROR = Found(accepted=True), Found(), Found(errors=1)


def forecast(
    *, demos: int = 4, errors: float = math.inf, at_once: int = 16
) -> Forecast:
    return Forecast(examples=200, demos=demos, errors=errors, at_once=at_once)


def test_no_more_are_begun_than_demos_are_wanted() -> None:
    assert forecast(demos=4).at_once == 4


def test_after_failures_more_are_tried_at_a_time_up_to_all_hands() -> None:
    looking = forecast(demos=4)

    hands = []
    for number in range(4):
        looking.hear(number, NO)
        hands.append(looking.at_once)

    assert hands == [8, 12, 16, 16]


def test_near_the_end_fewer_are_tried() -> None:
    looking = forecast(demos=4)

    for number in range(7):
        looking.hear(number, YES if number % 2 else NO)

    # One is still wanted, and three of seven were accepted.
    assert looking.at_once == 2


def test_once_enough_are_known_nothing_new_is_begun() -> None:
    looking = forecast(demos=2)

    looking.hear(3, YES)
    looking.hear(5, YES)

    assert looking.needed == 6
    assert not looking.done


def test_an_earlier_answer_makes_a_later_one_needless() -> None:
    looking = forecast(demos=1)
    looking.hear(5, YES)

    looking.hear(0, YES)

    assert looking.needed == 1
    assert looking.done


def test_an_error_beyond_what_is_needed_does_not_count() -> None:
    looking = forecast(demos=1, errors=1)
    looking.hear(1, ERROR)

    looking.hear(0, YES)

    assert looking.done
    assert looking.stopped_by_errors is None


def test_errors_end_the_search_in_the_order_of_the_examples() -> None:
    looking = forecast(demos=1, errors=2)

    looking.hear(4, YES)
    looking.hear(1, ERROR)
    looking.hear(2, ERROR)
    before = looking.stopped_by_errors
    looking.hear(0, NO)

    assert before is None
    assert looking.stopped_by_errors == 2


def test_an_error_that_all_would_meet_ends_the_search_where_it_stands() -> None:
    looking = forecast(demos=1)
    looking.hear(1, Found(errors=1, fatal=True))

    looking.hear(0, NO)

    assert looking.stopped_by_errors == 1


def test_one_slow_example_stops_the_hands_that_run_far_ahead() -> None:
    looking = forecast(demos=4, at_once=3)

    for number in range(1, 6):
        looking.hear(number, NO)

    assert looking.until == 6


def test_what_is_heard_twice_counts_once() -> None:
    looking = forecast(demos=2)

    looking.hear(0, YES)
    looking.hear(0, YES)
    looking.hear(2, YES)
    looking.hear(2, YES)

    assert looking.needed == 3
    assert not looking.done
