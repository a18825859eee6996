"""Actors written for Pykka alone, as children of a supervisor.

Their class is not changed and not derived from: an instance of it is the guest of an
actor of ours, which lives the life that supervision needs. So no name of ours can
collide with one of theirs, and Pykka's meaning of errors is kept.
"""

from __future__ import annotations

import functools
import weakref
from types import TracebackType
from typing import Any, ClassVar, cast

import pykka
from pykka._envelope import Envelope

from supervisors._answers import settle
from supervisors.actor import Actor
from supervisors.errors import ConfigError

_LOOP = (
    "_start_actor_loop",
    "_actor_loop",
    "_actor_loop_setup",
    "_actor_loop_running",
    "_actor_loop_teardown",
    "_stop",
)
"""What runs an actor in Pykka. The host does it here, so a guest cannot change it."""


class StockHost(Actor):
    """Runs a guest by Pykka's rules: under `ask` the caller gets errors and it lives.

    What is no `Exception` ends this actor either way; in Pykka it would end them all.
    """

    stock_class: ClassVar[type[pykka.ThreadingActor]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self._guest = guest = self.stock_class.__new__(self.stock_class)
        # Whom its constructor gives its ref to already writes into our mailbox.
        vars(guest)["_create_actor_inbox"] = lambda: self.actor_inbox
        guest.__init__(*args, **kwargs)  # type: ignore[misc] # as `type.__call__` does
        del vars(guest)["_create_actor_inbox"]
        self._take_the_place_of(guest)

    def _take_the_place_of(self, guest: pykka.ThreadingActor) -> None:
        """Be one with the guest for all who have a ref, those made before included."""
        ref: Any = self.actor_ref
        self.actor_urn = ref.actor_urn = guest.actor_urn
        stopped = self.actor_stopped = ref.actor_stopped = guest.actor_stopped
        self.life.before_end(lambda _reason: stopped.set())
        ref.actor_class = self.stock_class
        # Proxies look at the guest's attributes, and not at ours.
        ref._actor_weakref = weakref.ref(guest)  # noqa: SLF001 - Pykka's own field
        guest._actor_ref = ref  # noqa: SLF001 - Pykka's own field

    def on_start(self) -> None:
        """Start the guest."""
        self._guest.on_start()

    def on_stop(self) -> None:
        """Tell the guest of an orderly end."""
        self._guest.on_stop()

    def on_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Tell the guest of a crash."""
        self._guest.on_failure(exception_type, exception_value, traceback)

    def on_receive(self, message: Any) -> Any:
        """Hand a message to the guest, as Pykka does."""
        return self._handle_receive(message)

    def _handle_receive(self, message: Any) -> Any:
        return self._guest._handle_receive(message)  # noqa: SLF001 - Pykka's hook

    def _handle(self, envelope: Envelope[Any]) -> None:
        try:
            super()._handle(envelope)
        except Exception as error:
            if envelope.reply_to is None:
                raise
            settle(envelope.reply_to, None, error)
            self._put_down(envelope)


def supervised(actor_class: type[Any]) -> type[Actor]:
    """The class a supervisor starts: itself, or one that hosts it.

    Raises:
        ConfigError: It is no `pykka.ThreadingActor`, or has a loop of its own.
    """
    if issubclass(actor_class, Actor):
        return actor_class
    return _made(cast("Any", actor_class))


@functools.cache
def _made(actor_class: Any) -> type[Actor]:
    if not issubclass(actor_class, pykka.ThreadingActor):
        msg = (
            f"{actor_class!r} cannot be supervised; expected a class derived from "
            "supervisors.Actor or pykka.ThreadingActor. Derive it from one of them."
        )
        raise ConfigError(msg)
    own = [
        name
        for name in _LOOP
        if getattr(actor_class, name) is not getattr(pykka.ThreadingActor, name)
    ]
    if own:
        msg = (
            f"{actor_class.__name__} overrides Pykka's loop ({', '.join(own)}), which "
            "supervision has to replace. Derive it from supervisors.Actor, or leave "
            "the loop alone."
        )
        raise ConfigError(msg)
    names = {
        "__doc__": actor_class.__doc__,
        "__module__": actor_class.__module__,
        "stock_class": actor_class,
    }
    return cast("type[Actor]", type(actor_class.__name__, (StockHost,), names))
