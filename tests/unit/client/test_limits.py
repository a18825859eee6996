import math
from collections.abc import Callable

import pytest

from dspex.client.limits import Limiter, LimitPolicy, Wait, WaitReason
from dspex.client.providers.format import Allowance, RateLimits
from dspex.core.errors import ConfigurationError


def sent(limiter: Limiter, count: int, now: float, *, tokens: int = 1) -> list[str]:
    """Send as many as may go, up to a count; their ids."""
    ids = [f"{now}-{number}" for number in range(count)]
    return [one for one in ids if limiter.admit(one, tokens, now) is None]


def wait(limiter: Limiter, now: float, *, tokens: int = 1) -> Wait:
    answer = limiter.admit("asked", tokens, now)
    assert answer is not None
    return answer


def told(limit: int, remaining: int, reset_in: float) -> RateLimits:
    requests = Allowance(limit=limit, remaining=remaining, reset_in=reset_in)
    return RateLimits(requests=requests)


def test_before_any_refusal_all_that_may_be_in_flight_goes_at_once() -> None:
    limiter = Limiter()

    assert len(sent(limiter, 1000, 0.0)) == limiter.in_flight == 256
    assert wait(limiter, 0.0) == Wait(math.inf, WaitReason.IN_FLIGHT)


@pytest.mark.parametrize("end", ["settle", "release", "refused"])
def test_one_in_flight_makes_room_for_one_however_it_ends(end: str) -> None:
    limiter = Limiter(LimitPolicy(max_in_flight=1))
    assert limiter.admit("one", 1, 0.0) is None
    assert list(limiter.reserved) == ["one"]

    match end:
        case "settle":
            limiter.settle("one", 0.1, tokens=1)
        case "release":
            limiter.release("one", 0.1)
        case _:
            limiter.refused("one", 0.1, retry_after=None)

    assert limiter.in_flight == 0
    assert len(sent(limiter, 2, 60.0)) == 1


def test_a_late_word_about_a_request_of_an_earlier_life_does_no_harm() -> None:
    limiter = Limiter()
    before = limiter.state(0.0)

    limiter.learn("gone", told(10, 0, 60.0), 0.0)
    limiter.settle("gone", 0.0, tokens=5)
    limiter.release("gone", 0.0)
    limiter.refused("gone", 0.0, retry_after=60.0)

    assert limiter.state(0.0) == before


def test_thirty_a_minute_are_two_at_once_and_then_one_every_two_seconds() -> None:
    limiter = Limiter(LimitPolicy(requests_per_minute=30))

    assert len(sent(limiter, 9, 0.0)) == 2
    assert wait(limiter, 0.0).reason is WaitReason.REQUESTS_PER_MINUTE
    assert wait(limiter, 0.0).seconds == pytest.approx(1.0)
    assert [len(sent(limiter, 9, float(now))) for now in (1, 2, 3, 4, 5)] == [
        *(1, 0, 1, 0, 1)
    ]


def test_the_whole_limit_goes_within_the_minute_and_no_more() -> None:
    limiter = Limiter(LimitPolicy(requests_per_minute=60))

    by_second = [len(sent(limiter, 9, float(second))) for second in range(61)]

    assert sum(by_second[:60]) == 60
    assert by_second[55:60] == [1, 0, 0, 0, 0]
    assert by_second[60] == 5


def test_what_was_never_written_is_given_back() -> None:
    limiter = Limiter(LimitPolicy(requests_per_minute=1, tokens_per_minute=600))
    assert limiter.admit("one", 600, 0.0) is None

    limiter.release("one", 1.0)

    assert limiter.admit("two", 600, 1.0) is None


def test_real_tokens_replace_the_estimate() -> None:
    limiter = Limiter(LimitPolicy(tokens_per_minute=1200))
    assert limiter.admit("one", 1200, 0.0) is None
    assert limiter.state(0.0).tokens_last_minute == 1200

    limiter.settle("one", 1.0, tokens=100)

    assert limiter.state(1.0).tokens_last_minute == 100
    assert limiter.admit("two", 1100, 60.0) is None


def test_an_unknown_cost_stays_at_the_estimate() -> None:
    limiter = Limiter(LimitPolicy(tokens_per_minute=1200))
    limiter.admit("one", 500, 0.0)

    limiter.settle("one", 1.0, tokens=None)

    assert limiter.state(1.0).tokens_last_minute == 500


def test_a_request_larger_than_the_limit_goes_alone_and_is_made_up_for() -> None:
    limiter = Limiter(LimitPolicy(tokens_per_minute=60))
    assert limiter.admit("small", 5, 0.0) is None

    assert wait(limiter, 1.0, tokens=180).seconds == pytest.approx(59.0)
    assert limiter.admit("huge", 180, 60.0) is None
    assert limiter.admit("next", 5, 60.0 + 179.0) is not None
    assert limiter.admit("next", 5, 60.0 + 181.0) is None


def test_a_changed_limit_remembers_the_last_minute() -> None:
    limiter = Limiter(LimitPolicy(requests_per_minute=600))
    assert len(sent(limiter, 50, 0.0)) == 50

    limiter.reconfigure(LimitPolicy(requests_per_minute=50), 10.0)

    assert wait(limiter, 10.0).seconds == pytest.approx(50.0)
    limiter.reconfigure(LimitPolicy(), 10.0)
    assert len(sent(limiter, 50, 10.0)) == 50


def test_a_pause_that_the_provider_asks_for_holds_everything() -> None:
    limiter = Limiter()
    sent(limiter, 2, 0.0)

    limiter.refused("0.0-0", 1.0, retry_after=30.0)
    limiter.refused("0.0-1", 1.0, retry_after=5.0)

    assert wait(limiter, 1.0) == Wait(30.0, WaitReason.PAUSED)
    assert limiter.state(2.0).paused_for == 29.0
    assert len(sent(limiter, 9, 31.0)) == 1


def test_many_refusals_of_one_jam_cut_the_pace_once() -> None:
    limiter = Limiter()
    ids = sent(limiter, 100, 0.0)

    for one in ids[:50]:
        limiter.refused(one, 1.0, retry_after=None)
    first = limiter.state(1.0).pace
    for one in ids[50:]:
        limiter.refused(one, 2.0, retry_after=None)

    assert first == limiter.state(2.0).pace == 4.0
    assert limiter.state(2.0).refusals == 100


def test_refusal_of_what_was_sent_after_a_cut_cuts_again() -> None:
    limiter = Limiter()
    for number in range(3):
        (one,) = sent(limiter, 1, 10.0 * number)
        limiter.refused(one, 10.0 * number + 1, retry_after=None)

    assert limiter.state(30.0).pace == 1.0


def test_refused_requests_come_back_one_by_one() -> None:
    limiter = Limiter()
    for one in sent(limiter, 50, 0.0):
        limiter.refused(one, 0.1, retry_after=2.0)

    assert len(sent(limiter, 50, 2.1)) == 1
    assert wait(limiter, 2.1).seconds == pytest.approx(0.25)
    assert wait(limiter, 2.1).reason is WaitReason.PACE


def test_answers_make_the_pace_grow_and_end_the_drought() -> None:
    limiter = Limiter()
    (one,) = sent(limiter, 1, 0.0)
    limiter.refused(one, 1.0, retry_after=None)
    assert limiter.state(1.0).refused_since == 1.0

    (two,) = sent(limiter, 1, 2.0)
    limiter.settle(two, 2.2, tokens=None)

    view = limiter.state(2.2)
    assert view.refused_since is None
    assert view.pace == 6.0


def test_answer_to_what_was_sent_before_the_cut_does_not_grow_the_pace() -> None:
    limiter = Limiter()
    one, two = sent(limiter, 2, 0.0)

    limiter.refused(one, 1.0, retry_after=None)
    limiter.settle(two, 1.1, tokens=None)

    assert limiter.state(1.1).pace == 4.0


def test_an_announced_limit_holds_back_what_is_over_it() -> None:
    limiter = Limiter()
    (one,) = sent(limiter, 1, 0.0)

    limiter.learn(one, told(100, 19, 8.1), 0.0)
    limiter.settle(one, 0.0, tokens=None)

    # Ten come back each second; five are left alone.
    assert len(sent(limiter, 50, 0.0)) == 14
    assert wait(limiter, 0.0).reason is WaitReason.ANNOUNCED_REQUESTS
    assert wait(limiter, 0.0).seconds == pytest.approx(0.1)
    assert len(sent(limiter, 50, 1.0)) == 10


def test_what_was_sent_after_a_request_is_not_in_its_header() -> None:
    limiter = Limiter()
    ids = sent(limiter, 11, 0.0)

    limiter.learn(ids[0], told(100, 50, 50.0), 0.0)

    view = limiter.state(0.0).announced_requests
    assert view is not None
    assert view.left == 40
    assert view.per_second == 1.0


def test_a_header_older_than_the_latest_is_ignored() -> None:
    limiter = Limiter()
    ids = sent(limiter, 2, 0.0)

    limiter.learn(ids[1], told(100, 10, 90.0), 1.0)
    known = limiter.state(1.0)
    limiter.learn(ids[0], told(100, 90, 10.0), 1.0)

    assert limiter.state(1.0) == known


@pytest.mark.parametrize(
    "useless",
    [
        RateLimits(),
        told(-1, -1, 0.0),
        told(0, 0, 0.0),
        told(50, -1, 1.0),
        told(50, 0, math.inf),
        RateLimits(requests=Allowance(limit=50, remaining=0)),
        RateLimits(requests=Allowance(remaining=0, reset_in=60.0)),
    ],
)
def test_a_header_that_says_nothing_of_use_holds_nothing_back(
    useless: RateLimits,
) -> None:
    limiter = Limiter()
    (one,) = sent(limiter, 1, 0.0)

    limiter.learn(one, useless, 0.0)

    assert limiter.state(0.0).announced_requests is None
    assert len(sent(limiter, 100, 0.0)) == 100


def test_an_announced_limit_of_tokens_is_kept_too() -> None:
    limiter = Limiter()
    limiter.admit("one", 100, 0.0)
    tokens = Allowance(limit=1000, remaining=400, reset_in=60.0)

    limiter.learn("one", RateLimits(tokens=tokens), 0.0)

    assert limiter.admit("two", 300, 0.0) is None
    assert wait(limiter, 0.0, tokens=100).reason is WaitReason.ANNOUNCED_TOKENS
    assert limiter.admit("small", 50, 0.0) is None


def test_a_request_larger_than_an_announced_limit_waits_for_all_of_it() -> None:
    limiter = Limiter()
    limiter.admit("one", 100, 0.0)
    tokens = Allowance(limit=1000, remaining=400, reset_in=60.0)
    limiter.learn("one", RateLimits(tokens=tokens), 0.0)

    assert wait(limiter, 0.0, tokens=5000).seconds == pytest.approx(60.0)
    assert limiter.admit("huge", 5000, 60.0) is None


def test_a_window_is_told_from_a_bucket_and_waited_for() -> None:
    limiter = Limiter()
    for number, now in enumerate((0.0, 1.0, 2.0, 3.0)):
        (one,) = sent(limiter, 1, now)
        limiter.learn(one, told(50, 40 - 10 * number, 10.0 - now), now)
        limiter.settle(one, now, tokens=None)

    # Ten are left until the window ends at 10 s.
    assert len(sent(limiter, 50, 3.0)) == 10
    assert wait(limiter, 3.0).seconds == pytest.approx(7.2)


def test_a_request_that_was_refused_is_back_in_the_announced_limit() -> None:
    limiter = Limiter()
    one, two = sent(limiter, 2, 0.0)
    limiter.learn(one, told(100, 50, 50.0), 0.0)

    limiter.refused(two, 0.0, retry_after=None)

    view = limiter.state(0.0).announced_requests
    assert view is not None
    assert view.left == 50


def test_no_wait_is_so_short_that_asking_again_is_spinning() -> None:
    limiter = Limiter(LimitPolicy(requests_per_minute=60))
    sent(limiter, 5, 0.0)

    assert wait(limiter, 0.9999999).seconds == 0.001


@pytest.mark.parametrize(
    "make",
    [
        lambda: LimitPolicy(max_in_flight=0),
        lambda: LimitPolicy(requests_per_minute=0),
        lambda: LimitPolicy(tokens_per_minute=-1),
    ],
)
def test_limits_that_make_no_sense_are_refused(make: Callable[[], LimitPolicy]) -> None:
    with pytest.raises(ConfigurationError, match="each is at least 1"):
        make()


def test_a_limit_of_unknown_rate_is_not_overdrawn_while_a_header_may_come() -> None:
    limiter = Limiter()
    (one,) = sent(limiter, 1, 0.0)
    limiter.learn(one, told(50, 50, 0.0), 0.2)
    limiter.settle(one, 0.2, tokens=None)

    ids = sent(limiter, 200, 0.2)

    assert len(ids) == 50
    assert wait(limiter, 0.2) == Wait(math.inf, WaitReason.ANNOUNCED_REQUESTS)
    for id_ in ids:
        limiter.settle(id_, 0.4, tokens=None)
    assert len(sent(limiter, 200, 0.4)) == 1


def test_used_up_and_reset_at_once_holds_nothing_back() -> None:
    limiter = Limiter()
    (one,) = sent(limiter, 1, 0.0)

    limiter.learn(one, told(50, 0, 0.0), 0.2)

    assert len(sent(limiter, 200, 0.2)) == 200


def test_a_small_bucket_that_fills_fast_keeps_more_back() -> None:
    limiter = Limiter()
    (one,) = sent(limiter, 1, 0.0)

    limiter.learn(one, told(10, 9, 0.01), 0.0)

    # It fills by 100 a second, of which four hundredths and one more are left alone.
    assert len(sent(limiter, 50, 0.0)) == 4


@pytest.mark.parametrize(
    ("retry_after", "held"), [(1.0, 0.0), (2.0, 2.0), (0.1, 0.1), (30.0, 30.0)]
)
def test_an_announced_limit_mends_the_rounding_of_a_pause_and_no_more(
    retry_after: float, held: float
) -> None:
    limiter = Limiter()
    (one,) = sent(limiter, 1, 0.0)
    limiter.learn(one, told(50, 0, 1.0), 0.0)

    limiter.refused(one, 0.0, retry_after=retry_after)

    assert limiter.state(0.0).paused_for == held
    assert wait(limiter, 0.0).seconds >= 0.08


def test_only_the_first_refusal_of_a_jam_is_news() -> None:
    limiter = Limiter()
    ids = sent(limiter, 3, 0.0)

    news = [limiter.refused(one, 0.1, retry_after=None) for one in ids]
    (later,) = sent(limiter, 1, 1.0)

    assert news == [True, False, False]
    assert limiter.refused(later, 1.2, retry_after=None)
    assert not limiter.refused("gone", 1.2, retry_after=None)


def test_what_came_back_on_the_way_counts_but_for_a_quarter_of_the_bucket() -> None:
    limiter = Limiter()
    (one,) = sent(limiter, 1, 0.0)

    limiter.learn(one, told(100, 40, 6.0), 5.0)

    view = limiter.state(5.0).announced_requests
    assert view is not None
    assert view.left == 40 + 10 * 5 - 25


def test_a_header_that_came_at_once_counts_as_it_is() -> None:
    limiter = Limiter()
    (one,) = sent(limiter, 1, 0.0)

    limiter.learn(one, told(100, 40, 6.0), 1.0)

    view = limiter.state(1.0).announced_requests
    assert view is not None
    assert view.left == 40
