"""Values as JSON and back, as saved programs have them: no value is ever unpickled.

Classes and functions go by their names, language models by their numbers: a model stays
in the process it belongs to, with its key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dspex.core.errors import DataError
from dspex.core.prediction import Completions, Prediction
from dspex.evaluate.isolate.names import NamesHere
from dspex.programs.saving.made_parts import PartsReader, names_in
from dspex.programs.saving.parts import PartsWriter
from dspex.programs.saving.trust import is_own

Node = Any
"""A JSON value that stands for a value."""


class Models:
    """The language models of a parcel, each with its number."""

    def __init__(self) -> None:
        self._models: list[Any] = []

    def number(self, model: Any) -> int:
        """Return the number of a model, the same each time."""
        for number, known in enumerate(self._models):
            if known is model:
                return number
        self._models.append(model)
        return len(self._models) - 1

    def __getitem__(self, number: int) -> Any:
        return self._models[number]

    def __len__(self) -> int:
        return len(self._models)


def writer_for(models: Models) -> PartsWriter:
    """Return what writes a program; each model it meets becomes its number."""
    return PartsWriter(models.number)


def node_of(value: Any, where: str) -> Node:
    """Write a value that holds no model of its own.

    Raises:
        DataError: JSON cannot hold it; it says where it stands.
    """
    return PartsWriter(_no_model).node(value, where)


def value_of(
    node: Node, *, may_import: bool, model_of: Callable[[int], Any] | None = None
) -> Any:
    """Read what `node_of` or a writer wrote.

    Args:
        node: The node.
        may_import: Whether modules are imported for what it names.
        model_of: Returns the model of a number.

    Raises:
        DataError: It names what is not there.
    """
    names = NamesHere(may_import=may_import)
    return PartsReader(names, model_of=model_of or _no_model).part(node)


def node_of_prediction(prediction: Any) -> Node:
    """Write what a program gave, with its other completions and its usage.

    What JSON cannot hold goes as its fields and the name of its type.
    """
    try:
        value = node_of(prediction, "the prediction")
    except DataError:
        return {"kept": _kept(prediction)}
    written: dict[str, Node] = {"value": value}
    if not all(is_own(name) for name in names_in(value)):
        # Its classes may not be in use on the other side.
        written["kept"] = _kept(prediction)
    if isinstance(prediction, Prediction):
        written["usage"] = prediction.get_lm_usage()
        columns = dict(prediction.completions.items())
        if any(len(column) > 1 for column in columns.values()):
            written["completions"] = node_of(columns, "the completions")
    return written


def _kept(prediction: Any) -> str:
    from dspex.evaluate.record import codec  # slow to import, and seldom needed

    return codec.encode(prediction)


def prediction_of(node: Node) -> Any:
    """Read what `node_of_prediction` wrote.

    A value whose class is not in use here comes out as an `Unkept`.
    """
    try:
        value = value_of(node["value"], may_import=False)
    except (DataError, KeyError):
        from dspex.evaluate.record import codec  # as in `_kept`

        return codec.decode(node["kept"])
    if isinstance(value, Prediction):
        if "completions" in node:
            columns = value_of(node["completions"], may_import=False)
            value._completions = Completions(columns)  # noqa: SLF001 - it has no setter
        value.set_lm_usage(node["usage"])
    return value


def _no_model(_: Any) -> Any:
    raise DataError(
        "a language model is among the values of an example or an answer; a model stays"
        " in its own process. Keep it in the program or the settings."
    )
