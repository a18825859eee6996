"""What we rely on in Pykka, and what of Pykka works on our actors.

The private names are why `pykka` is capped in the project file: when a release changes
one of them, this module says which.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pykka
import pytest
from pykka._actor import Actor as PykkaActor
from pykka._envelope import Envelope
from pykka.messages import ProxyCall, _ActorStop

from supervisors import (
    NO_REPLY,
    Actor,
    ActorDownError,
    CallTimeoutError,
    Normal,
    Ref,
    Scope,
    SelfCallError,
    Supervisor,
    SupervisorActor,
    within,
)
from supervisors._future import ReplyFuture
from supervisors._mailbox import Mailbox
from supervisors._waiting import open_calls
from supervisors.testing import Probe
from tests.supervisors.actors.parts import (
    WAIT,
    Block,
    BoomError,
    Scripted,
    Told,
    boom,
    letting_go,
    nothing,
    running,
    worker,
)


class Account(Actor):
    """One with methods and attributes, as proxies use them."""

    def __init__(self) -> None:
        super().__init__()
        self.balance = 0

    def pay_in(self, amount: int) -> int:
        self.balance += amount
        return self.balance


# The names.


def test_the_version_is_one_we_know() -> None:
    major, minor = (int(part) for part in version("pykka").split(".")[:2])

    assert major == 4
    assert minor >= 5


def test_an_envelope_carries_a_message_and_who_is_answered() -> None:
    envelope = Envelope("m")
    asked = Envelope("m", reply_to=ReplyFuture())

    assert envelope.message == "m"
    assert envelope.reply_to is None
    assert asked.reply_to is not None


def test_the_stop_message_is_made_without_arguments() -> None:
    assert isinstance(_ActorStop(), _ActorStop)


@pytest.mark.parametrize(
    "name",
    [
        "_create_actor_inbox",
        "_start_actor_loop",
        "_actor_loop",
        "_handle_receive",
        # A stock class that has its own of these cannot be supervised.
        "_actor_loop_setup",
        "_actor_loop_running",
        "_actor_loop_teardown",
        "_stop",
    ],
)
def test_the_hooks_we_know_are_pykkas(name: str) -> None:
    assert callable(getattr(PykkaActor, name))
    assert callable(getattr(pykka.ThreadingActor, name))


def test_a_ref_and_an_actor_hold_each_other_by_names_we_set() -> None:
    class Stock(pykka.ThreadingActor):
        pass

    stock: Any = Stock()

    assert stock._actor_ref._actor_weakref() is stock
    assert set(vars(stock)) == {
        "actor_urn",
        "actor_inbox",
        "actor_stopped",
        "_actor_ref",
    }


def test_an_instance_may_have_a_mailbox_hook_of_its_own() -> None:
    stock: Any = pykka.ThreadingActor.__new__(pykka.ThreadingActor)
    mailbox = Mailbox()
    vars(stock)["_create_actor_inbox"] = lambda: mailbox

    stock.__init__()

    assert stock.actor_inbox is mailbox
    assert stock._actor_ref.actor_inbox is mailbox


def test_a_future_has_a_hook_that_we_keep_on_the_class() -> None:
    future: Any = pykka.ThreadingFuture()

    assert future._get_hook is None
    assert not hasattr(ReplyFuture.__dict__["_get_hook"], "__get__")


def test_proxies_look_at_the_actor_behind_a_ref() -> None:
    with running(Account) as ref:
        assert ref._actor_weakref() is ref.proxy()._actor


def test_the_constructor_makes_the_mailbox_by_our_hook() -> None:
    actor = Actor()
    ref: Any = actor.actor_ref

    assert type(actor.actor_inbox) is Mailbox
    assert ref.actor_inbox is actor.actor_inbox
    assert ref.actor_stopped is actor.actor_stopped
    assert actor._actor_ref is ref


def test_handle_receive_hands_over_messages_and_carries_out_proxy_calls() -> None:
    account = Account()

    paid = account._handle_receive(
        ProxyCall(attr_path=("pay_in",), args=(5,), kwargs={})
    )

    assert paid == 5
    assert Scripted()._handle_receive(lambda actor: "on_receive") == "on_receive"


def test_refs_are_equal_by_incarnation() -> None:
    actor, other = Actor(), Actor()

    assert actor.actor_ref == actor.actor_ref
    assert actor.actor_ref != other.actor_ref
    assert len({actor.actor_ref, other.actor_ref}) == 2


# Stock calls on our actors.


def test_ask_and_tell() -> None:
    with running(Scripted) as ref:
        ref.tell(lambda actor: setattr(actor, "seen", "told"))

        assert ref.ask(lambda actor: actor.seen) == "told"
        assert ref.ask(lambda actor: 3, block=False).get(timeout=WAIT) == 3


def test_asking_or_stopping_oneself_is_an_error_and_no_deadlock() -> None:
    def ask_myself(actor: Any) -> list[str]:
        refused = []
        for ask in (actor.actor_ref.ask, actor.actor_ref.call):
            with pytest.raises(SelfCallError, match="called itself"):
                ask(nothing)
            refused.append(ask.__name__)
        with pytest.raises(SelfCallError):
            actor.actor_ref.stop()
        return refused

    with running(Scripted) as ref:
        assert ref.ask(ask_myself) == ["ask", "call"]


def test_an_actor_may_promise_itself_an_answer() -> None:
    with running(Scripted) as ref:
        promise = ref.ask(lambda actor: actor.actor_ref.ask(nothing, block=False))

        assert promise.get(timeout=WAIT) is None


def test_an_ask_that_timed_out_leaves_nothing_and_its_answer_is_dropped() -> None:
    with running(Scripted) as ref, letting_go(Block()) as block:
        before = open_calls()
        with pytest.raises(CallTimeoutError):
            ref.ask(block, timeout=0.01)
        assert open_calls() == before
        block.release.set()

        assert ref.ask(lambda actor: "next") == "next"


def test_a_stop_is_no_part_of_the_work_that_was_given_up() -> None:
    ref = Scripted.start()
    scope = Scope("work")
    scope.cancel("enough")

    with within(scope):
        assert ref.stop(timeout=WAIT)


def test_ask_with_a_timeout_raises_pykkas() -> None:
    with (
        running(Scripted) as ref,
        letting_go(Block()) as block,
        pytest.raises(pykka.Timeout),
    ):
        ref.ask(block, timeout=0.02)


def test_a_crash_under_ask_is_an_actor_dead_error_with_its_cause() -> None:
    ref = Scripted.start()

    with pytest.raises(pykka.ActorDeadError) as caught:
        ref.ask(boom)

    assert isinstance(caught.value, ActorDownError)
    assert isinstance(caught.value.__cause__, BoomError)


def test_tell_and_ask_on_a_dead_actor_raise() -> None:
    ref = Scripted.start()
    ref.kill()

    with pytest.raises(pykka.ActorDeadError):
        ref.tell(nothing)
    with pytest.raises(pykka.ActorDeadError):
        ref.ask(nothing)


def test_stop_returns_when_the_actor_has_ended() -> None:
    for _ in range(100):
        ref = Scripted.start()

        assert ref.stop(timeout=WAIT)

        assert not ref.is_alive()
        assert ref.stop() is False


def test_stop_comes_after_the_messages_before_it() -> None:
    ref = Scripted.start()
    with letting_go(Block()) as block:
        first = ref.ask(block, block=False)
        second = ref.ask(lambda actor: "second", block=False)
        stopped = ref.stop(block=False)
        third = ref.ask(nothing, block=False)

    assert first.get(timeout=WAIT) == "late"
    assert second.get(timeout=WAIT) == "second"
    assert stopped.get(timeout=WAIT) is True
    with pytest.raises(pykka.ActorDeadError):
        third.get(timeout=WAIT)


def test_a_stop_that_meets_a_death_is_answered() -> None:
    ref = Scripted.start()
    with letting_go(Block()) as block:
        ref.tell(block)
        block.inside()
        stopped = ref.stop(block=False)
        ref.kill()

        assert stopped.get(timeout=WAIT) is True


def test_an_actor_may_stop_itself_the_pykka_way() -> None:
    ref = Scripted.start()

    ref.tell(lambda actor: actor.stop())

    assert str(ref.wait(WAIT)) == "normal"


def test_a_proxy_calls_reads_and_writes() -> None:
    with running(Account) as ref:
        account = ref.proxy()

        assert account.pay_in(5).get(timeout=WAIT) == 5
        account.balance = 7
        assert account.balance.get(timeout=WAIT) == 7


def test_a_stock_actor_is_answered_by_ours() -> None:
    class Stock(pykka.ThreadingActor):
        def on_receive(self, message: Ref[Any]) -> Any:
            return message.ask(lambda actor: "from ours")

    with running(Scripted) as ours:
        stock = Stock.start()
        try:
            assert stock.ask(ours, timeout=WAIT) == "from ours"
        finally:
            stock.stop()


def test_a_token_settles_a_stock_future() -> None:
    stock: Any = pykka.ThreadingFuture()

    def later(actor: Actor) -> Any:
        actor.reply_token().reply("later")
        return NO_REPLY

    with running(Scripted) as ref:
        ref.actor_inbox.put(Envelope(later, reply_to=stock))

        assert stock.get(timeout=WAIT) == "later"


def test_stop_all_stops_actors_outside_trees() -> None:
    refs = [Scripted.start() for _ in range(3)]
    assert set(refs) <= set(pykka.ActorRegistry.get_all())

    stopped = pykka.ActorRegistry.stop_all(timeout=WAIT)

    assert stopped == [True] * 3
    assert not any(ref.is_alive() for ref in refs)
    assert pykka.ActorRegistry.get_all() == []


def test_stop_all_stops_trees_in_order_from_their_roots() -> None:
    probe = Probe()
    children = [worker("a", Told, args=(probe,)), worker("b", Told, args=(probe,))]
    top = Supervisor.start(children)
    assert [ref.actor_class for ref in pykka.ActorRegistry.get_all()] == [
        SupervisorActor
    ]

    pykka.ActorRegistry.stop_all(timeout=WAIT)

    assert top.ref().wait(0) == Normal()
    assert [probe.expect() for _ in range(4)][2:] == [("end", "b"), ("end", "a")]
    assert pykka.ActorRegistry.get_all() == []


def test_a_dead_actor_leaves_pykkas_registry_however_it_dies() -> None:
    ref = Scripted.start()
    ref.kill()

    assert pykka.ActorRegistry.get_by_urn(ref.actor_urn) is None
