"""Answers in memory: bounded by number, bytes and age, and only for what was asked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dspex.cache.key import Identity
from dspex.cache.memory import Errands
from dspex.cache.shelf import JITTER, Shelf, lifetime, weight
from dspex.core.lm import Reply

KEYS = st.sampled_from([f"question {number}" for number in range(12)])
SMALL = Reply(texts=("yes",))


class Timer:
    """A clock turned by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def shelf(
    timer: Timer | None = None, *, entries: int = 100, room: int = 1_000_000
) -> Shelf:
    return Shelf(max_entries=entries, max_bytes=room, ttl=100.0, timer=timer or Timer())


@given(
    steps=st.lists(st.tuples(KEYS, st.integers(0, 5_000), st.floats(0, 30))),
    entries=st.integers(1, 5),
    room=st.integers(1, 20_000),
)
def test_it_never_holds_more_than_it_may(
    steps: list[tuple[str, int, float]], entries: int, room: int
) -> None:
    timer = Timer()
    kept = shelf(timer, entries=entries, room=room)
    put: dict[str, tuple[float, Reply]] = {}

    for question, length, seconds in steps:
        timer.now += seconds
        identity, reply = Identity.of(question), Reply(texts=("x" * length,))
        kept.put(identity, reply)
        put[question] = timer.now, reply

        assert len(kept) <= entries
        assert kept.bytes <= room
        fits = weight(identity, reply) <= room
        # What was put last is there, unless it is larger than all the room there is.
        assert (kept.get(identity) == reply) or not fits

    for question, (at, reply) in put.items():
        found = kept.get(Identity.of(question))
        assert found is None or (found == reply and timer.now - at < 100.0)


@given(key=st.text(), ttl=st.floats(0.001, 1e9))
def test_no_answer_lives_longer_than_allowed_or_much_shorter(
    key: str, ttl: float
) -> None:
    assert (1 - JITTER) * ttl <= lifetime(key, ttl) <= ttl


def test_answers_of_one_burst_do_not_expire_at_once() -> None:
    lives = {round(lifetime(f"question {number}", 100.0)) for number in range(200)}

    assert len(lives) > 8


def test_a_key_with_another_text_is_no_hit() -> None:
    kept = shelf()
    kept.put(Identity("key", "what was asked"), SMALL)

    assert kept.get(Identity("key", "something else")) is None
    assert kept.get(Identity("key", "what was asked")) == SMALL
    assert kept.get(Identity("key", "")) == SMALL


def test_an_answer_that_cannot_fit_pushes_no_other_out() -> None:
    kept = shelf(room=5_000)
    kept.put(Identity.of("small"), SMALL)

    kept.put(Identity.of("large"), Reply(texts=("x" * 6_000,)))

    assert kept.get(Identity.of("small")) == SMALL
    assert kept.get(Identity.of("large")) is None
    assert kept.evictions == 0


def test_clearing_tells_how_many_there_were() -> None:
    kept = shelf()
    kept.put(Identity.of("a"), SMALL)
    kept.put(Identity.of("b"), SMALL)

    assert (kept.clear(), len(kept), kept.bytes) == (2, 0, 0)


def test_what_is_out_is_remembered_up_to_a_size() -> None:
    errands = Errands(10_000)
    first, large = Identity.of("first"), Identity.of("x" * 20_000)
    errands.note(first)
    errands.note(large)

    assert errands.take(first.key) == first
    assert errands.take(first.key) == Identity(first.key, "")
    assert errands.take(large.key) == Identity(large.key, "")


def test_what_was_noted_longest_ago_is_forgotten_first() -> None:
    errands = Errands(5_000)
    asked = [Identity.of(f"{number} {'x' * 900}") for number in range(5)]
    for identity in asked:
        errands.note(identity)

    known = [bool(errands.take(identity.key).text) for identity in asked]

    assert known == [False, False, True, True, True]
