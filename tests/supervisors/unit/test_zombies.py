"""Which of the dead count as zombies."""

from __future__ import annotations

from supervisors._future import ReplyFuture
from supervisors._life import Life
from supervisors._mailbox import Mailbox
from supervisors._zombies import Zombies


class Turn(ReplyFuture[None]):
    """A thread that leaves as soon as somebody waits for that."""

    def __init__(self, life: Life) -> None:
        super().__init__()
        self._life = life

    def wait(self, timeout: float | None = None) -> bool:
        self._life.leave_thread()
        return True


class Leaving(Life):
    """One whose thread has a turn to leave its code."""

    __slots__ = ()

    @property
    def thread_left(self) -> ReplyFuture[None]:
        return Turn(self)


def in_its_code(*, on_a_loop: bool, was_ended: bool = True) -> Life:
    life = Leaving("a", Mailbox())
    life.entered = True
    life.abandoned_at = 1.0 if was_ended else None
    if on_a_loop:
        life.on_abandon = lambda: None
    return life


def test_an_actor_on_a_loop_has_a_turn_to_be_cancelled_in() -> None:
    assert not Zombies(1).note(in_its_code(on_a_loop=True))


def test_a_thread_is_counted_at_once() -> None:
    assert Zombies(1).note(in_its_code(on_a_loop=False))


def test_one_that_ended_by_itself_is_on_its_way_out() -> None:
    assert not Zombies(1).note(in_its_code(on_a_loop=False, was_ended=False))
