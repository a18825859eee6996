"""Record what DSPy makes of the texts that models write, for each type of a field.

Run it in an environment that has DSPy, from the project's root:

    python -m tests.tools.dspy_parsing > tests/data/dspy_parsed.json

Kept are the values alone; what DSPy refuses is left out.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import importlib
import json
from typing import Any, Literal

from pydantic import BaseModel


class Mood(enum.Enum):
    """How somebody feels."""

    GOOD = "good"
    BAD = "BAD_VALUE"
    THREE = 3


class Person(BaseModel):
    """Somebody named in a text."""

    name: str
    age: int = 0


class Pair(BaseModel):
    """A model in a model."""

    person: Person
    note: str | None = None


@dataclasses.dataclass
class Point:
    """A dataclass."""

    x: int
    tags: list[str]


TYPES: dict[str, Any] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "Mood": Mood,
    "word": Literal["yes", "no", "it's"],
    "number": Literal[1, 2],
    "str | None": str | None,
    "int | None": int | None,
    "int | str": int | str,
    "Any": Any,
    "list[str]": list[str],
    "list[int]": list[int],
    "dict[str, int]": dict[str, int],
    "dict[str, Any]": dict[str, Any],
    "tuple[int, str]": tuple[int, str],
    "set[int]": set[int],
    "Person": Person,
    "list[Person]": list[Person],
    "Pair": Pair,
    "Point": Point,
}
"""Types of outputs, by what they are called in the record."""

TEXTS = (
    *("yes", "'yes'", '"yes"', "`yes`", "**yes**", "Yes", "yes.", "no ", "it's", ""),
    *("Literal[yes]", "str['yes']", "1", "2", "3", "3.0", "3.5", "-5", "+5", "  7  "),
    *('"3"', "'3'", "1e3", "1,000", "0x10", "12 apples", "one", "NaN", "Infinity"),
    *("True", "true", "TRUE", "false", "None", "null", "123_456.5"),
    *("good", "GOOD", "Mood.GOOD", "BAD", "BAD_VALUE", "THREE"),
    *("[1, 2, 3]", "[1, 2", "[1, 2,]", "(1, 'x')", '[1, "x"]', "{1, 2}", "{"),
    *("['a', 'b']", '["a", "b"]', "a, b", "- a\n- b", "hello [world]"),
    *('{"name": "Ada", "age": 3}', "{'name': 'Ada'}", "{name: 'Ada'}"),
    *('```json\n{"name": "Ada"}\n```', 'Here: {"name": "Ada"}', '{"name": "Ada",}'),
    *('[{"name": "Ada"}]', '{"x": 1, "tags": ["a"]}', '{"person": {"name": "Ada"}}'),
    *('{"a": 1}', "{'a': None}", '{"a": [1, {"b": true}]}'),
)
"""What models write for an output."""


def reading(api: Any, adapter: Any) -> dict[str, dict[str, str]]:
    """Return what an adapter makes of each text, by type and text.

    Args:
        api: The module `dspy` or `dspex`.
        adapter: Its chat adapter.
    """
    return {name: _of_type(api, adapter, kind) for name, kind in TYPES.items()}


def _of_type(api: Any, adapter: Any, kind: Any) -> dict[str, str]:
    fields = {"question": (str, api.InputField()), "answer": (kind, api.OutputField())}
    signature = api.Signature(fields, "Answer.")
    found = {}
    for text in TEXTS:
        reply = f"[[ ## answer ## ]]\n{text}\n\n[[ ## completed ## ]]"
        with contextlib.suppress(Exception):
            found[text] = repr(adapter.parse(signature, reply)["answer"])
    return found


def main() -> None:
    """Print what DSPy makes of the texts as JSON."""
    dspy: Any = importlib.import_module("dspy")
    read = reading(dspy, dspy.ChatAdapter())
    record = {"dspy": dspy.__version__, "read": read}
    print(json.dumps(record, indent=1, ensure_ascii=False, sort_keys=True))


if __name__ == "__main__":
    main()
