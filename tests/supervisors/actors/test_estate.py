"""Memory with an heir."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import Actor, ChildSpec, Estate, Intensity, StartError, Supervisor
from supervisors._messages import GetChildren
from supervisors.testing import Probe
from tests.supervisors.actors.parts import WAIT, Block, Scripted, letting_go, refs


class Book(Estate):
    """Pages that outlive their keeper."""

    def __init__(self) -> None:
        self.pages: list[str] = []


class Keeper(Scripted):
    """Owns a book for as long as it lives."""

    def __init__(self, book: Book, patience: float = WAIT) -> None:
        super().__init__()
        self.book = book
        self.patience = patience

    def on_start(self) -> None:
        self.owner = self.book.inherit(self, self.patience)


def keeper(book: Book, **more: Any) -> ChildSpec:
    return ChildSpec(id="k", name="k", actor=Keeper, args=(book,), **more)


def test_the_next_incarnation_finds_what_the_last_one_wrote() -> None:
    book = Book()
    with Supervisor.start([keeper(book)]) as top:
        handle = top.handle("k")
        handle.call(lambda actor: actor.book.pages.append("one"))
        refs(top)["k"].kill()

        owner, pages = handle.call(
            lambda actor: (actor.owner, list(actor.book.pages)), WAIT, idempotent=True
        )

    assert (owner, pages) == (2, ["one"])


def test_the_heir_waits_until_the_last_owners_thread_has_left() -> None:
    book = Book()
    order = Probe()

    def write(actor: Any) -> None:
        block(actor)
        actor.book.pages.append("late")
        order("written")

    with letting_go(Block()) as block, Supervisor.start([keeper(book)]) as top:
        old = refs(top)["k"]
        old.cast(write)
        block.inside()
        old.kill()
        future = top.submit(GetChildren())
        assert not future.wait(0.02)
        block.release.set()

        pages = top.handle("k").call(
            lambda actor: list(actor.book.pages), WAIT, idempotent=True
        )

    assert order.expect() == "written"
    assert pages == ["late"]


def test_an_heir_whose_patience_ends_does_not_start() -> None:
    book = Book()
    with letting_go(Block()) as block:
        first = Keeper.start(book)
        first.cast(block)
        block.inside()
        first.kill()

        with pytest.raises(StartError, match="still in its code"):
            Keeper.start(book, 0.02)


def test_a_stuck_owner_costs_restarts_until_it_leaves() -> None:
    book = Book()
    with letting_go(Block()) as block:
        spec = ChildSpec(id="k", name="k", actor=Keeper, args=(book, 0.01))
        with Supervisor.start([spec], intensity=Intensity(max_restarts=10_000)) as top:
            old = refs(top)["k"]
            old.cast(block)
            block.inside()
            old.kill()
            top.which_children()
            block.release.set()

            assert top.handle("k").call(
                lambda actor: actor.owner, WAIT, idempotent=True
            )


def test_an_owner_that_ended_in_order_is_no_obstacle() -> None:
    book = Book()
    for number in range(1, 4):
        ref = Keeper.start(book)
        assert ref.call(lambda actor: actor.owner) == number
        ref.shutdown()
        ref.wait(WAIT)


def test_anybody_may_inherit() -> None:
    class Other(Actor):
        def on_start(self) -> None:
            assert book.inherit(self) == 1

    book = Book()
    ref = Other.start()
    ref.shutdown()

    assert ref.wait(WAIT) is not None
