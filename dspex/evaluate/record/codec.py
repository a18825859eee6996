"""Values as JSON and back, whatever they are: nothing in a run is too odd to record.

What JSON holds stays as it is. What it does not hold, and dspex knows, comes back as it
was: bytes, sets, dates, NaN, examples, pictures. Anything else comes back as an
`Unkept`, with its fields and the name of its type. Encoding never raises and runs no
more of a value's own code than reading its fields takes; decoding runs none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from dspex.core.example import Example
from dspex.core.prediction import Completions, Prediction
from dspex.evaluate.record.kinds import DSPEX_TYPES, KINDS, made_example
from dspex.evaluate.record.objects import held_by, name_of_type, shown
from dspex.evaluate.record.unkept import Unkept

MARK: Final = "$dspex"
"""The key of a JSON object that stands for something else, and says for what."""
DEEPEST: Final = 100
"""Levels of containers inside one another that are kept."""
MOST_NODES: Final = 1_000_000
"""Values inside one value that are kept."""
MOST_CHARACTERS: Final = 16_777_216
"""Characters and bytes inside one value that are kept."""

_PLAIN_BITS: Final = 1_024
"""Bits of an integer that is written in decimal digits; Python limits reading more."""

_written: Final = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def encode(value: Any) -> str:
    r"""Return a value as JSON in ASCII.

    Example:
        >>> encode({"city": "Bogot\u00e1", "seen": (1, float("nan"))})[:18]
        '{"city":"Bogot\\u00'
        >>> decode(encode({1, 2}))
        {1, 2}
    """
    return _written(node_of(value))


def node_of(value: Any) -> Any:
    """Return a value as JSON's own types, to become a part of something larger."""
    return _Writer().node(value, 0)


def decode(text: str) -> Any:
    """Return the value of such a text.

    Raises:
        ValueError: It is no text that `encode` wrote.
    """
    try:
        return json.loads(text, object_hook=_restored, parse_constant=_refused)
    except (ArithmeticError, LookupError, RecursionError, TypeError) as error:
        message = f"it holds what no record holds: {error}"
        raise ValueError(message) from error


class _Writer:
    """One value on its way to JSON: how much room it has left, and what it is in."""

    __slots__ = ("_above", "_nodes", "_room")

    def __init__(self) -> None:
        self._nodes = MOST_NODES
        self._room = MOST_CHARACTERS
        self._above: set[int] = set()

    def node(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            return self._text(value)
        if value is None or kind is bool:
            return value
        if kind is int:
            if value.bit_length() <= _PLAIN_BITS:
                return value
            return self._sized({MARK: "int", "value": hex(value)}, "value", value)
        if kind is float:
            if math.isfinite(value):
                return value
            return {MARK: "float", "value": repr(value)}
        return self._container(value, kind, depth)

    def _text(self, text: str) -> Any:
        self._room -= len(text)
        if self._room < 0:
            return _cut(text, "too large")
        return text if _is_sound(text) else _halves(text)

    def _sized(self, node: dict[str, Any], name: str, value: Any) -> Any:
        self._room -= len(node[name])
        return node if self._room >= 0 else _cut(value, "too large")

    def _container(self, value: Any, kind: type, depth: int) -> Any:
        self._nodes -= 1
        if self._nodes < 0:
            return _cut(value, "too large")
        if depth >= DEEPEST:
            return _cut(value, "nested too deeply")
        if id(value) in self._above:
            return _cut(value, "it holds itself")
        self._above.add(id(value))
        try:
            return self._inside(value, kind, depth + 1)
        except Exception as error:  # noqa: BLE001 - a value's own code may do anything
            return _cut(value, f"its fields cannot be read: {type(error).__name__}")
        finally:
            self._above.discard(id(value))

    def _inside(self, value: Any, kind: type, depth: int) -> Any:
        if kind is dict:
            return self._mapping(value, depth)
        if kind is list:
            return self._items(value, depth)
        if kind in (tuple, set, frozenset):
            items = self._items(value, depth)
            if kind is not tuple:
                # In one order in every process, so that digests are the same.
                items.sort(key=_written)
            return {MARK: kind.__name__, "items": items}
        if (known := KINDS.get(kind)) is not None:
            written = known.write(value)
            self._room -= len(written) if isinstance(written, str) else 0
            if self._room < 0:
                return _cut(value, "too large")
            return {MARK: known.name, "value": written}
        return self._object(value, kind, depth)

    def _object(self, value: Any, kind: type, depth: int) -> Any:
        if kind is Prediction or kind is Example:
            return self._example(value, kind, depth)
        if kind is Completions:
            columns = dict(value.items())
            return {MARK: "Completions", "columns": self._mapping(columns, depth)}
        if kind is Unkept:
            return self._unkept(value, depth)
        if (known := DSPEX_TYPES.name_of(kind)) is not None:
            return {
                MARK: "type",
                "name": known,
                "fields": self._mapping(dict(vars(value)), depth),
            }
        found, held = held_by(value)
        told = {MARK: "unkept", "type": name_of_type(kind)}
        if not found:
            return {**told, "text": _ascii(shown(value))}
        return {**told, "value": self.node(held, depth)}

    def _unkept(self, value: Unkept, depth: int) -> Any:
        told: dict[str, Any] = {MARK: "unkept", "type": value.type_name}
        if value.value is not None:
            told["value"] = self.node(value.value, depth)
        if value.text:
            told["text"] = value.text
        if value.why:
            told["why"] = value.why
        return told

    def _example(self, value: Example, kind: type, depth: int) -> Any:
        fields = dict(value.items(include_dspy=True))
        told: dict[str, Any] = {
            MARK: kind.__name__,
            "fields": self._mapping(fields, depth),
        }
        inputs = input_names(value)
        if inputs is not None:
            told["inputs"] = inputs
        if isinstance(value, Prediction):
            # Looked at first: asking a prediction made by hand would make them.
            completions = value._completions  # noqa: SLF001
            if completions is not None and len(completions) > 1:
                columns = dict(completions.items())
                told["completions"] = self._mapping(columns, depth)
            if (usage := value.get_lm_usage()) is not None:
                told["usage"] = self.node(usage, depth)
        return told

    def _mapping(self, mapping: dict[Any, Any], depth: int) -> Any:
        self._nodes -= len(mapping)
        if self._nodes < 0:
            return _cut(mapping, "too large")
        node = self.node
        for key in mapping:
            if type(key) is not str or key == MARK or not _is_sound(key):
                break
            self._room -= len(key)
        else:
            return {key: node(inside, depth) for key, inside in mapping.items()}
        items = [[node(key, depth), node(item, depth)] for key, item in mapping.items()]
        return {MARK: "dict", "items": items}

    def _items(self, items: Iterable[Any], depth: int) -> list[Any]:
        # The caller has a list, a tuple or a set; what they hold is counted one by one.
        kept = []
        for item in items:
            self._nodes -= 1
            if self._nodes < 0:
                kept.append(_cut(item, "too large"))
                break
            kept.append(self.node(item, depth))
        return kept


def input_names(example: Example) -> list[str] | None:
    """Return the names of an example's inputs in order; `None` when nobody said."""
    names = example._input_keys  # noqa: SLF001 - no public method asks without raising
    return None if names is None else sorted(names)


def _is_sound(text: str) -> bool:
    """Whether JSON gives a text back as it is: not with halves of characters."""
    if text.isascii():
        return True
    try:
        # The quickest encoding that refuses halves of characters.
        text.encode("utf-16-le")
    except UnicodeEncodeError:
        return False
    return True


def _halves(text: str) -> dict[str, str]:
    return {MARK: "text", "value": text.encode("unicode_escape").decode("ascii")}


def _ascii(text: str) -> str:
    return text if _is_sound(text) else text.encode("unicode_escape").decode("ascii")


def _cut(value: Any, why: str) -> dict[str, Any]:
    return {
        MARK: "unkept",
        "type": name_of_type(type(value)),
        "text": _ascii(shown(value)),
        "why": why,
    }


def _refused(word: str) -> Any:
    message = f"{word} stands in it, which is no JSON"
    raise ValueError(message)


def _restored(told: dict[str, Any]) -> Any:
    """Return what a JSON object stands for; what it holds is restored already."""
    kind = told.get(MARK)
    if kind is None:
        return told
    if (restore := _RESTORED.get(kind)) is not None:
        return restore(told)
    if (known := _READ.get(kind)) is not None:
        return known(told["value"])
    return Unkept(type_name=str(kind), value=told, why="a newer dspex wrote it")


def _unkept(told: dict[str, Any]) -> Unkept:
    return Unkept(
        type_name=str(told["type"]),
        value=told.get("value"),
        text=str(told.get("text", "")),
        why=str(told.get("why", "")),
    )


def _dict(told: dict[str, Any]) -> dict[Any, Any]:
    return {_as_key(key): item for key, item in told["items"]}


def _as_key(key: Any) -> Any:
    try:
        hash(key)
    except TypeError:
        return repr(key)
    return key


def _dspex_type(told: dict[str, Any]) -> Any:
    return DSPEX_TYPES.made(told["name"], told["fields"])


def _set(told: dict[str, Any]) -> set[Any]:
    return {_as_key(item) for item in told["items"]}


_RESTORED: Final[Mapping[str, Callable[[dict[str, Any]], Any]]] = {
    "dict": _dict,
    "tuple": lambda told: tuple(told["items"]),
    "set": _set,
    "frozenset": lambda told: frozenset(_set(told)),
    "Example": lambda told: made_example(Example, told),
    "Prediction": lambda told: made_example(Prediction, told),
    "Completions": lambda told: Completions(told["columns"]),
    "type": _dspex_type,
    "unkept": _unkept,
}
_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "int": lambda text: int(text, 16),
    "float": float,
    "text": lambda text: text.encode("ascii").decode("unicode_escape"),
    **{known.name: known.read for known in KINDS.values()},
}
