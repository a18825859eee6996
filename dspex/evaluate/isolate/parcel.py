"""What a child process is told at its start: program, metric, settings, as JSON.

Pure but for looking names up. Code goes by its name and is imported there; a program's
state goes as a whole saved program has it, without its constructor and without pickle.
What has no name is refused here, before any work starts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

from dspex.core.errors import ConfigurationError, DataError
from dspex.evaluate.isolate.channel import Line
from dspex.evaluate.isolate.names import MAIN, check_name, how_to_run_main, run_main
from dspex.evaluate.isolate.nodes import Models, Node, value_of, writer_for
from dspex.evaluate.isolate.remote_model import Asks, RemoteModel, facts_of
from dspex.evaluate.metric import Metric, MetricRange
from dspex.programs.saving.made_parts import names_in
from dspex.programs.settings import KEYS, context, settings

LEFT_HERE: Final = frozenset({"lm", "trace", "callbacks"})
"""Settings that do not cross as they are: a model goes by its number, and lists that
this process reads cannot be filled by another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Program, metric and settings, ready to be sent."""

    line: Line
    """What the child is told."""
    models: Models
    """The models its calls are for, which stay here."""


def pack(
    program: Callable[..., Any],
    metric: Metric,
    metric_range: MetricRange | None = None,
) -> Parcel:
    """Write program and metric, with the settings in force here.

    Args:
        program: The program.
        metric: One metric, or several by name.
        metric_range: Where the score has to lie; anywhere by default.

    Raises:
        ConfigurationError: Something in them cannot be found or made in another
            process; it says what, and what to do.
    """
    models = Models()
    given: dict[str, Any] = {key: settings[key] for key in KEYS if key not in LEFT_HERE}
    written = {
        "program": _written(program, "program", models),
        "metric": _written(metric, "metric", models),
        "settings": _written(given, "settings", models),
    }
    lm = None if settings.lm is None else models.number(settings.lm)
    names = names_in(list(written.values()))
    line: Line = {
        **written,
        "lm": lm,
        "range": metric_range,
        "models": [facts_of(models[number]) for number in range(len(models))],
        "argv": sys.argv,
        "main": how_to_run_main() if _names_main(names) else None,
    }
    return Parcel(line=line, models=models)


def _written(value: Any, what: str, models: Models) -> Node:
    writer = writer_for(models)
    try:
        node = writer.node(value, what)
    except (DataError, RecursionError) as error:
        raise ConfigurationError(
            f"the {what} cannot be taken to another process: {error} Evaluate it "
            "without isolate='process', or change that."
        ) from error
    for name in names_in(node):
        check_name(name, writer.code.get(name))
    return node


def _names_main(names: set[str]) -> bool:
    return any(name.partition(":")[0] == MAIN for name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """What a parcel holds, made anew in the child."""

    program: Callable[..., Any]
    """The program."""
    metric: Metric
    """The metric."""
    metric_range: MetricRange | None
    """Where the score has to lie."""
    settings: Mapping[str, Any]
    """The settings of the parent, with the model among them."""

    def in_force(self) -> AbstractContextManager[None]:
        """Return a block in which the settings are the parent's."""
        return context(**self.settings)


def unpack(line: Line, asks: Asks) -> Unpacked:
    """Make program and metric of what the parent told; runs in the child.

    Raises:
        Exception: What importing the modules raises, or the script that is run again.
    """
    if line["main"] is not None:
        run_main(line["main"])
    models = [
        RemoteModel.of(number, facts, asks)
        for number, facts in enumerate(line["models"])
    ]

    def made(node: Node) -> Any:
        return value_of(node, may_import=True, model_of=models.__getitem__)

    lm = None if line["lm"] is None else models[line["lm"]]
    return Unpacked(
        program=made(line["program"]),
        metric=made(line["metric"]),
        metric_range=None if line["range"] is None else tuple(line["range"]),
        settings={**made(line["settings"]), "lm": lm},
    )
