"""The top of a tree: its registry, its events, its clock, and its end."""

from __future__ import annotations

from typing import Any

import pykka

from supervisors._giving_up import over_error
from supervisors._launch import launch
from supervisors._leaving import add_root
from supervisors.actor import Actor
from supervisors.clock import SYSTEM_CLOCK, Clock
from supervisors.errors import ActorDownError, AlreadyRegisteredError, ConfigError
from supervisors.events import Events
from supervisors.ref import Ref
from supervisors.registry import Registry
from supervisors.surroundings import Surroundings

ROOT = "root"
"""The name of a tree's topmost supervisor in its own registry."""


def start_root(
    actor: Actor,
    *,
    registry: Registry | None = None,
    events: Events | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Ref[Any]:
    """Start a supervisor as the root of a tree of its own.

    It stops when the program ends, and when Pykka's registry stops all actors.

    Raises:
        ConfigError: The registry belongs to another tree; nothing was started.
        StartError: A child did not start; those before it were stopped again.
    """
    root = actor.actor_ref
    names = registry or Registry()
    root.life.label = ROOT
    actor.surroundings = Surroundings(
        registry=names, events=events or Events(), clock=clock
    )
    # Ahead of the registry's own step, so that nobody finds the root's name gone
    # without the reason.
    root.life.before_end(
        lambda reason: names.close(over_error(ROOT, root.life, reason))
    )
    _claim(names, root)
    pykka.ActorRegistry.register(root)
    root.life.before_end(lambda _reason: pykka.ActorRegistry.unregister(root))
    add_root(root)
    launch(actor, timeout=None)
    return root


def _claim(names: Registry, root: Ref[Any]) -> None:
    """Make a registry the one of this tree.

    Raises:
        ConfigError: It cannot be.
    """
    if not names.unique:
        msg = (
            "the registry has duplicate keys, and a name in a tree has one actor. "
            "Pass a Registry with unique keys, or leave it out."
        )
        raise ConfigError(msg)
    try:
        names.register(ROOT, root)
    except (AlreadyRegisteredError, ActorDownError) as error:
        msg = (
            "the registry belongs to another tree, which runs or is over; a tree "
            "has one of its own. Pass a new Registry, or leave it out."
        )
        raise ConfigError(msg) from error
