import pytest

from dspex.client.announced import AnnouncedLimit, Moment
from dspex.client.providers.format import Allowance


def hear(
    limit: AnnouncedLimit,
    number: int,
    sent_at: float,
    told: tuple[int, int, float],
    *,
    sent_after: float = 0,
) -> None:
    """Take a header in at the moment its request was sent."""
    allowance = Allowance(limit=told[0], remaining=told[1], reset_in=told[2])
    limit.hear(allowance, Moment(number=number, at=sent_at), sent_after, sent_at)


def test_a_limit_of_one_is_waited_for_whole() -> None:
    limit = AnnouncedLimit()

    hear(limit, 0, 0.0, (1, 0, 60.0))

    assert limit.wait(1, 0.0) == pytest.approx(60.0)


def test_a_fuller_use_says_more_about_how_fast_a_bucket_fills() -> None:
    limit = AnnouncedLimit()
    hear(limit, 0, 0.0, (100, 50, 50.0))

    hear(limit, 1, 0.0, (100, 20, 40.0))

    # From one a second four fifths of the way to two, as four fifths are used.
    assert limit.rate == pytest.approx(1.8)


def test_what_was_sent_later_is_taken_from_a_window_too() -> None:
    limit = AnnouncedLimit()
    hear(limit, 0, 0.0, (50, 40, 10.0))

    hear(limit, 1, 1.0, (50, 30, 9.0), sent_after=10)

    assert limit.left(1.0) == 20
    assert limit.wait(20, 1.0) == 0.0


def test_one_header_for_a_bucket_outweighs_one_for_a_window() -> None:
    limit = AnnouncedLimit()
    hear(limit, 0, 0.0, (50, 40, 10.0))
    hear(limit, 1, 1.0, (50, 30, 9.0))
    assert limit.rate == pytest.approx(5.0)

    hear(limit, 2, 2.0, (50, 10, 18.0))

    assert limit.rate == pytest.approx(2.0756, abs=1e-4)


def test_the_header_of_a_refusal_has_told_of_it_already() -> None:
    limit = AnnouncedLimit()
    hear(limit, 3, 0.0, (100, 50, 50.0))

    limit.give_back(1, Moment(number=3, at=0.0))
    assert limit.left(0.0) == 50

    limit.give_back(1, Moment(number=4, at=0.0))
    assert limit.left(0.0) == 51


def test_a_bucket_that_holds_less_than_its_limit_is_known_by_its_first_headers() -> (
    None
):
    limit = AnnouncedLimit()

    # Fifty a second, ten of them at one time.
    for number in range(4):
        taken = number + 1
        hear(limit, number, 0.0, (50, 10 - taken, taken / 50))

    assert limit.rate == pytest.approx(50.0)
    assert limit.left(10.0) == pytest.approx(10.0)
    # What is left alone is of its rate.
    assert limit.wait(3, 0.0) == 0.0
    assert limit.wait(7, 0.0) == pytest.approx((7 + 3 - 6) / 50)


def test_one_header_that_promises_more_than_its_limit_in_a_second_is_not_believed() -> (
    None
):
    limit = AnnouncedLimit()

    hear(limit, 0, 0.0, (50, 9, 0.02))

    assert limit.rate == 50.0


def test_a_limit_that_changes_is_learned_anew() -> None:
    limit = AnnouncedLimit()
    for number in range(4):
        hear(limit, number, 0.0, (50, 9 - number, (number + 1) / 50))

    hear(limit, 4, 1.0, (100, 50, 50.0))

    assert limit.rate == pytest.approx(1.0)
    assert limit.left(100.0) == 100.0
