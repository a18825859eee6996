"""Single flight, move by move; the properties try all orders of them."""

from __future__ import annotations

import pytest

from dspex.cache.flights import Flights, Move


@pytest.fixture
def flights() -> Flights:
    return Flights()


def reading(flights: Flights, key: str = "k") -> int:
    number = flights.reading(key)
    assert number is not None
    return number


def test_the_first_reads_and_all_wait_until_the_store_has_answered(
    flights: Flights,
) -> None:
    moves = [flights.ask("k", name, can_read=True) for name in "abc"]

    assert moves == [Move.READ, Move.WAIT, Move.WAIT]
    assert flights.not_found("k", reading(flights)) == "a"
    assert flights.settle("k") == ("b", "c")


def test_what_the_store_has_answers_all_and_ends_the_flight(flights: Flights) -> None:
    for name in "ab":
        flights.ask("k", name, can_read=True)

    assert flights.found("k") == ("a", "b")
    assert "k" not in flights


def test_a_late_find_answers_who_waits_and_leaves_the_leader_its_call(
    flights: Flights,
) -> None:
    for name in "ab":
        flights.ask("k", name, can_read=True)
    flights.not_found("k", reading(flights))

    assert flights.found("k") == ("b",)
    assert flights.is_led_by("k", "a")
    assert flights.ask("k", "c", can_read=True) is Move.WAIT
    assert flights.settle("k") == ("c",)


def test_word_of_an_earlier_reading_is_of_no_interest(flights: Flights) -> None:
    flights.ask("k", "a", can_read=True)
    past = reading(flights)
    flights.leave("k", "a")
    flights.ask("k", "b", can_read=True)

    assert flights.not_found("k", past) is None
    assert flights.not_found("k", reading(flights)) == "b"


def test_nobody_leads_when_all_have_left_before_the_store_answered(
    flights: Flights,
) -> None:
    flights.ask("k", "a", can_read=True)
    number = reading(flights)
    flights.leave("k", "a")

    assert flights.not_found("k", number) is None
    assert len(flights) == 0


def test_who_asks_again_stays_what_it_is(flights: Flights) -> None:
    assert flights.ask("k", "a") is Move.LEAD
    assert flights.ask("k", "b") is Move.WAIT

    assert flights.ask("k", "a") is Move.LEAD
    assert flights.ask("k", "b") is Move.WAIT
    assert flights.settle("k") == ("b",)


def test_a_deadline_ends_one_wait_once(flights: Flights) -> None:
    for name in "abc":
        flights.ask("k", name)

    assert flights.expire("k", "b")
    assert not flights.expire("k", "b")
    assert not flights.expire("k", "a")
    assert not flights.expire("other", "a")
    assert flights.settle("k") == ("c",)


def test_the_last_one_who_waits_for_the_store_takes_the_flight_along(
    flights: Flights,
) -> None:
    flights.ask("k", "a", can_read=True)

    assert flights.expire("k", "a")
    assert "k" not in flights


def test_keys_have_nothing_to_do_with_each_other(flights: Flights) -> None:
    assert flights.ask("k", "a") is Move.LEAD
    assert flights.ask("l", "b") is Move.LEAD

    assert flights.leave("k", "b") is None
    assert flights.is_led_by("l", "b")
    assert flights.settle("k") == ()
    assert "l" in flights
