"""Actors written for Pykka alone, as children of a supervisor.

Their class is not changed: a subclass of it is made that lives the life supervision
needs, and keeps Pykka's meaning of errors.
"""

from __future__ import annotations

import functools
from typing import Any, cast

import pykka
from pykka._envelope import Envelope

from supervisors._life import settle
from supervisors.actor import Actor
from supervisors.errors import ConfigError


class StockRules(Actor):
    """Pykka's meaning of errors: under `ask` the caller gets them and the actor lives.

    What is no `Exception` ends this actor either way; in Pykka it would end them all.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "life" not in vars(self):
            # The class calls `pykka.ThreadingActor.__init__` by name.
            self._begin_life()

    def _handle(self, envelope: Envelope[Any]) -> None:
        try:
            super()._handle(envelope)
        except Exception as error:
            if envelope.reply_to is None:
                raise
            settle(envelope.reply_to, None, error)
            self._put_down(envelope)


def supervised(actor_class: type[Any]) -> type[Actor]:
    """The class a supervisor starts: itself, or a subclass that can be supervised.

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
    if actor_class._actor_loop is not pykka.ThreadingActor._actor_loop:  # noqa: SLF001
        msg = (
            f"{actor_class.__name__} overrides Pykka's loop, which supervision has to "
            "replace. Derive it from supervisors.Actor, or leave the loop alone."
        )
        raise ConfigError(msg)
    names = {"__doc__": actor_class.__doc__, "__module__": actor_class.__module__}
    made = type(actor_class.__name__, (StockRules, actor_class, Actor), names)
    return cast("type[Actor]", made)
