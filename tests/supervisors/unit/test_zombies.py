"""Which of the dead count as zombies."""

from __future__ import annotations

from supervisors._future import ReplyFuture
from supervisors._life import Life
from supervisors._mailbox import Mailbox
from supervisors._zombies import Zombies


class Turn(ReplyFuture[None]):
    """A thread that leaves as soon as somebody waits for that."""

    def wait(self, timeout: float | None = None) -> bool:
        return self.resolve(None) or True


def in_its_code(*, on_a_loop: bool) -> Life:
    life = Life("a", Mailbox())
    life.entered = True
    life.thread_left = Turn()
    if on_a_loop:
        life.on_abandon = lambda: None
    return life


def test_an_actor_on_a_loop_has_a_turn_to_be_cancelled_in() -> None:
    assert not Zombies(1).note(in_its_code(on_a_loop=True))


def test_a_thread_is_counted_at_once() -> None:
    assert Zombies(1).note(in_its_code(on_a_loop=False))
