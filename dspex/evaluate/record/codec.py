"""Values as JSON and back, whatever they are: nothing in a run is too odd to record.

What JSON holds stays as it is. What it does not hold, and dspex knows, comes back as it
was: bytes, sets, dates, NaN, examples, pictures. Anything else comes back as an
`Unkept`, with its fields and the name of its type. Encoding never raises and runs no
more of a value's own code than reading its fields takes; decoding runs none.
"""

# ruff: noqa: SLF001 - it reads what examples hold without having it copied

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from json.encoder import encode_basestring_ascii as quoted
from math import isfinite
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


def encode(value: Any) -> str:
    r"""Return a value as JSON in ASCII.

    Example:
        >>> print(encode({"city": "Bogot\u00e1", "seen": (1, float("nan"))}))
        {"city":"Bogot\u00e1","seen":{"$dspex":"tuple","items":[1,{"$dspex":"float","value":"nan"}]}}
        >>> decode(encode({1, 2}))
        {1, 2}
    """
    return _Writer().text(value, 0)


def encode_row(example: Example) -> tuple[str, str]:
    """Return an example as `encode` does, and its fields in the order of their names.

    In one walk where that can be: a record needs both of each example.
    """
    return _Writer().row(example)


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
    """One value on its way to JSON: how much room it has left, and what it is in.

    It writes text and not a tree for `json.dumps`: every value has to be looked at
    here in any case, and a second walk would cost more than the first.
    """

    __slots__ = ("_above", "_nodes", "_room")

    def __init__(self) -> None:
        self._nodes = MOST_NODES
        self._room = MOST_CHARACTERS
        self._above: set[int] = set()

    def row(self, example: Example) -> tuple[str, str]:
        """Return an example as JSON, and its fields in the order of their names."""
        store = example._store
        is_plain = type(example) is Example and all(
            type(name) is str and name != MARK and _is_sound(name) for name in store
        )
        if not is_plain:
            ordered = {name: store[name] for name in sorted(store, key=str)}
            return encode(example), encode(ordered)
        self._above.add(id(example))
        fields = {
            name: f"{quoted(name)}:{self.text(inside, 1)}"
            for name, inside in store.items()
        }
        ordered_fields = ",".join(fields[name] for name in sorted(fields))
        mapping = f"{{{','.join(fields.values())}}}"
        text = f"{','.join(_parts_of(example, 'Example', mapping))}}}"
        return text, f"{{{ordered_fields}}}"

    def text(self, value: Any, depth: int) -> str:
        """Return any value as JSON."""
        kind = type(value)
        if kind is str:
            self._room -= len(value)
            if self._room < 0:
                return _cut(value, "too large")
            # Asked here as well, since most texts are ASCII and a call costs more.
            is_sound = value.isascii() or _is_sound(value)
            return quoted(value) if is_sound else _halves(value)
        if value is None:
            return "null"
        if kind is bool:
            return "true" if value else "false"
        if kind is int:
            is_plain = value.bit_length() <= _PLAIN_BITS
            return repr(value) if is_plain else self._made("int", value, hex(value))
        if kind is float:
            is_plain = isfinite(value)
            return repr(value) if is_plain else self._made("float", value, repr(value))
        return self._container(value, kind, depth)

    def _made(self, name: str, value: Any, written: Any) -> str:
        """Return what stands for a value of a kind that is made of a text or so."""
        if isinstance(written, str):
            self._room -= len(written)
            if self._room < 0:
                return _cut(value, "too large")
        return _node(name, value=self.text(written, 0))

    def _container(self, value: Any, kind: type, depth: int) -> str:
        self._nodes -= 1
        if self._nodes < 0:
            return _cut(value, "too large")
        if depth >= DEEPEST:
            return _cut(value, "nested too deeply")
        place = id(value)
        if place in self._above:
            return _cut(value, "it holds itself")
        self._above.add(place)
        try:
            return self._inside(value, kind, depth + 1)
        except Exception as error:  # noqa: BLE001 - a value's own code may do anything
            return _cut(value, f"its fields cannot be read: {type(error).__name__}")
        finally:
            self._above.discard(place)

    def _inside(self, value: Any, kind: type, depth: int) -> str:
        if kind is dict:
            return self._mapping(value, depth)
        if kind is Prediction or kind is Example:
            return self._example(value, kind.__name__, depth)
        if kind is list:
            return f"[{','.join(self._items(value, depth))}]"
        if kind is tuple:
            return _node("tuple", items=f"[{','.join(self._items(value, depth))}]")
        if kind is set or kind is frozenset:
            # In one order in every process, so that digests are the same.
            items = sorted(self._items(value, depth))
            return _node(kind.__name__, items=f"[{','.join(items)}]")
        if (known := KINDS.get(kind)) is not None:
            return self._made(known.name, value, known.write(value))
        return self._object(value, kind, depth)

    def _object(self, value: Any, kind: type, depth: int) -> str:
        if kind is Completions:
            columns = self._mapping(dict(value.items()), depth)
            return _node("Completions", columns=columns)
        if kind is Unkept:
            return self._unkept(value, depth)
        if (name := DSPEX_TYPES.name_of(kind)) is not None:
            fields = self._mapping(dict(vars(value)), depth)
            return _node("type", name=quoted(name), fields=fields)
        found, held = held_by(value)
        of = quoted(name_of_type(kind))
        if not found:
            return _node("unkept", type=of, text=_safely_quoted(shown(value)))
        return _node("unkept", type=of, value=self.text(held, depth))

    def _unkept(self, value: Unkept, depth: int) -> str:
        told = {"type": quoted(value.type_name)}
        if value.value is not None:
            told["value"] = self.text(value.value, depth)
        if value.text:
            told["text"] = quoted(value.text)
        if value.why:
            told["why"] = quoted(value.why)
        return _node("unkept", **told)

    def _example(self, value: Example, name: str, depth: int) -> str:
        parts = _parts_of(value, name, self._mapping(value._store, depth))
        if isinstance(value, Prediction):
            # Not `completions`: a prediction made by hand would make them.
            completions = value._completions
            if completions is not None and len(completions) > 1:
                columns = self._mapping(dict(completions.items()), depth)
                parts.append(f'"completions":{columns}')
            if value._usage is not None:
                parts.append(f'"usage":{self.text(value._usage, depth)}')
        return f"{','.join(parts)}}}"

    def _mapping(self, mapping: Mapping[Any, Any], depth: int) -> str:
        self._nodes -= len(mapping)
        if self._nodes < 0:
            return _cut(mapping, "too large")
        text = self.text
        parts = []
        for key, inside in mapping.items():
            if type(key) is not str or key == MARK or not _is_sound(key):
                return self._pairs(mapping, depth)
            self._room -= len(key)
            parts.append(f"{quoted(key)}:{text(inside, depth)}")
        return f"{{{','.join(parts)}}}"

    def _pairs(self, mapping: Mapping[Any, Any], depth: int) -> str:
        text = self.text
        pairs = [
            f"[{text(key, depth)},{text(item, depth)}]" for key, item in mapping.items()
        ]
        return _node("dict", items=f"[{','.join(pairs)}]")

    def _items(self, items: Iterable[Any], depth: int) -> list[str]:
        text = self.text
        kept: list[str] = []
        for item in items:
            self._nodes -= 1
            if self._nodes < 0:
                return [*kept, _cut(item, "too large")]
            kept.append(text(item, depth))
        return kept


def _parts_of(value: Example, name: str, fields: str) -> list[str]:
    """Return what is told of any example, whose fields are JSON already."""
    parts = [f'{{"{MARK}":"{name}","fields":{fields}']
    if value._input_keys is not None:
        inputs = ",".join(map(quoted, sorted(value._input_keys)))
        parts.append(f'"inputs":[{inputs}]')
    return parts


def _node(kind: str, **told: str) -> str:
    """Return the JSON object that stands for a value."""
    parts = [f',"{name}":{text}' for name, text in told.items()]
    return f'{{"{MARK}":"{kind}"{"".join(parts)}}}'


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


def _halves(text: str) -> str:
    return _node("text", value=quoted(_escaped(text)))


def _safely_quoted(text: str) -> str:
    return quoted(text if _is_sound(text) else _escaped(text))


def _escaped(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")


def _cut(value: Any, why: str) -> str:
    """Return what stands for a value of which not all can be kept."""
    told = {"type": quoted(name_of_type(type(value))), "why": quoted(why)}
    return _node("unkept", **told, text=_safely_quoted(shown(value)))


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
