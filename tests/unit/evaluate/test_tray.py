"""When the aggregator is told that something waits, and when at once."""

from __future__ import annotations

from dspex.evaluate.results.outcome import Outcome, OutcomeKind, Stamp
from dspex.evaluate.working.tray import MANY, Proposal, Tray


class RungTray(Tray):
    """Counts how often it rang."""

    def __init__(self) -> None:
        super().__init__()
        self.rings = 0
        self.ring = self._count

    def _count(self) -> None:
        self.rings += 1


def proposal(number: int) -> Proposal:
    stamp = Stamp(run="r", example=number)
    return Proposal(Outcome(stamp=stamp, kind=OutcomeKind.SCORED, score=1.0))


def test_it_rings_once_for_what_comes_before_a_look() -> None:
    tray = RungTray()

    for number in range(3):
        tray.put(proposal(number))

    assert tray.rings == 1
    assert not tray.is_pressing


def test_many_proposals_press_once() -> None:
    tray = RungTray()

    for number in range(2 * MANY):
        tray.put(proposal(number))

    assert tray.is_pressing
    assert tray.rings == 2


def test_a_look_leaves_what_it_found_and_nothing_presses_any_more() -> None:
    tray = RungTray()
    tray.put(proposal(0))
    tray.press()

    found = tray.look(9)

    assert [each.outcome.stamp.example for each in found] == [0]
    assert not tray.is_pressing
    assert tray.look(9) == found
    assert tray.drop(1) == 0


def test_what_comes_after_a_look_rings_again() -> None:
    tray = RungTray()
    tray.put(proposal(0))
    tray.look(9)

    tray.put(proposal(1))

    assert tray.rings == 2


def test_an_empty_tray_presses_nobody() -> None:
    tray = RungTray()

    tray.press()

    assert not tray.is_pressing
    assert tray.rings == 0
