"""What the shell may complete: names of runs, models, metrics.

Nothing here may raise or write: it runs while somebody types.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from dspex.control.asking import Process

Completed = list[CompletionItem]
"""What may stand there, perhaps with a word about each."""

ANSWER_WITHIN: Final = 1.0
"""Seconds a process may take to say what it is at work on."""

METRICS = ("answer_exact_match", "exact_match:", "f1:")
"""The metrics of dspex, as far as they are known before their field."""


def run_names(ctx: click.Context, _parameter: click.Parameter, begun: str) -> Completed:
    """Complete the name of a recorded run."""
    from dspex.evaluate.record.retention import places

    return _those(begun, (place.run for place, _ in places(_home(ctx))))


def live_names(
    ctx: click.Context, _parameter: click.Parameter, begun: str
) -> Completed:
    """Complete the name of a run that goes on."""
    from dspex.control.asking import ask
    from dspex.control.errors import ControlError

    names = set()
    for process in _processes(ctx):
        with suppress(ControlError):
            told = ask(process.path, "runs", timeout=ANSWER_WITHIN)
            names |= {each["run"] for each in told if each["part_of"] is None}
    return _those(begun, names)


def pids(ctx: click.Context, _parameter: click.Parameter, begun: str) -> Completed:
    """Complete the number of a process with a runtime."""
    return _those(begun, (f"{each.pid}" for each in _processes(ctx)))


def models(_ctx: click.Context, _parameter: click.Parameter, begun: str) -> Completed:
    """Complete a model: a provider, or the name and the files of a local one."""
    from dspex.client.local.models import KNOWN
    from dspex.client.providers.model_strings import KNOWN_PROVIDERS, LOCAL_PREFIX

    local = f"{LOCAL_PREFIX}/"
    if not begun.startswith(local):
        return _those(begun, (local, *(f"{name}/" for name in KNOWN_PROVIDERS)))
    return _those(begun, (f"{local}{name}" for name in (*KNOWN, *_weights(begun))))


def metrics(_ctx: click.Context, _parameter: click.Parameter, begun: str) -> Completed:
    """Complete a metric of dspex."""
    return _those(begun, METRICS)


def _processes(ctx: click.Context) -> list[Process]:
    """Return the processes that answer."""
    from dspex.control.asking import processes

    return [each for each in processes(_home(ctx)) if each.facts is not None]


def _those(begun: str, words: Iterable[str]) -> Completed:
    return [CompletionItem(word) for word in sorted(words) if word.startswith(begun)]


def _weights(begun: str) -> Iterator[str]:
    """Yield files of weights, and folders that may hold some."""
    typed = begun.partition("/")[2]
    folder = Path(typed if typed.endswith("/") else Path(typed).parent)
    with suppress(OSError):
        for path in folder.expanduser().iterdir():
            if path.is_dir():
                yield f"{path}/"
            elif path.suffix == ".gguf":
                yield str(path)


def _home(ctx: click.Context) -> Path:
    """Return where runs are, whatever is wrong with a file of the configuration."""
    from dspex.cli.configured import configured
    from dspex.core.errors import ConfigurationError
    from dspex.core.home import home

    with suppress(ConfigurationError):
        found: Path | None = configured(ctx).config.home
        if found is not None:
            return found
    return home()
