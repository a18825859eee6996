"""`dspex evaluate --chaos`: faults on purpose, and what came of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dspex.cli.console import say
from dspex.core.errors import ConfigurationError

if TYPE_CHECKING:
    from dspex.testing.chaos import ChaosPlan


def chaos_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option that reads a plan of chaos."""
    option = click.option(
        "--chaos",
        type=click.Path(path_type=Path, dir_okay=False),
        callback=_plan,
        metavar="PLAN.toml",
        help="Let go wrong on purpose what this plan says: requests, cache, disk, "
        "messages, clock, crashes. The score stays what it is without.",
    )
    return option(command)


def _plan(
    _context: click.Context, _parameter: click.Parameter, path: Path | None
) -> ChaosPlan | None:
    if path is None:
        return None
    from dspex.testing.chaos import ChaosPlan

    try:
        return ChaosPlan.load(path)
    except ConfigurationError as error:
        raise click.BadParameter(error.message) from error


@contextmanager
def disturbed(plan: ChaosPlan | None) -> Iterator[None]:
    """Let it happen while the block runs, and say at its end what did."""
    if plan is None:
        yield
        return
    from dspex.testing.chaos import chaos

    with chaos(plan) as report:
        try:
            yield
        finally:
            say(str(report))
