"""A row of data: named fields, and which of them are a program's inputs.

An `Example` reads like a mapping and like an object, as in DSPy. dspex treats it as a
value: whatever looks like a change (`with_inputs`, `copy`, `without`) returns a new
one. Assigning to a field works, for people who want it; nothing in dspex does.
"""

# ruff: noqa: SLF001 - the private members are those of another example

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import BaseModel

from dspex.core.errors import DataError
from dspex.core.rich_text import as_rich

HIDDEN_PREFIX = "dspy_"
"""Fields whose name starts so are kept, but not counted or listed by default."""


class Example:
    """A row of named fields.

    A field is read as `example.country` or `example["country"]`. A field that has the
    name of a method (`items`, `keys`, `copy`, ...) is reached only by the second form.
    Two examples are equal when their fields are equal; which fields are inputs does
    not count, as in DSPy.

    Args:
        base: Fields to start from: another example, whose inputs are kept, or a
            mapping. By name too, as in DSPy; a field called `base` comes in a mapping.
        fields: More fields; they win over those of `base`.

    Example:
        >>> row = Example(country="Peru", capital="Lima").with_inputs("country")
        >>> row.capital, row["country"]
        ('Lima', 'Peru')
        >>> row.inputs().toDict()
        {'country': 'Peru'}
    """

    __slots__ = ("__weakref__", "_input_keys", "_store")

    _store: dict[str, Any]
    _input_keys: frozenset[str] | None

    def __init__(
        self, /, base: Example | Mapping[str, Any] | None = None, **fields: Any
    ) -> None:
        input_keys: frozenset[str] | None = None
        if base is None:
            store = fields
        elif isinstance(base, Example):
            store = {**base._store, **fields}
            input_keys = base._input_keys
        elif isinstance(base, Mapping):
            store = {**base, **fields}
        else:
            raise DataError(
                f"an example cannot start from {base!r}; it starts from another "
                "example or a mapping of fields. For a field called 'base', pass "
                "{'base': ...}."
            )
        # Past our own `__setattr__`, which looks whether a name is that of a field.
        object.__setattr__(self, "_store", store)
        object.__setattr__(self, "_input_keys", input_keys)

    def with_inputs(self, *keys: str) -> Self:
        """Return a copy whose inputs are the fields called `keys`.

        A name that is no field of this row is allowed, because rows may differ.
        """
        copied = self.copy()
        copied._input_keys = frozenset(keys)
        return copied

    def inputs(self) -> Self:
        """Return an example of the input fields alone.

        Raises:
            DataError: When nobody said which fields are inputs.
        """
        keys = self._known_input_keys("inputs")
        return self.without(*(name for name in self._store if name not in keys))

    def labels(self) -> Self:
        """Return an example of the fields that are not inputs.

        Raises:
            DataError: When nobody said which fields are inputs.
        """
        keys = self._known_input_keys("labels")
        rest = self.without(*(name for name in self._store if name in keys))
        rest._input_keys = None
        return rest

    def copy(self, **fields: Any) -> Self:
        """Return a copy, with `fields` replaced or added. Values are not copied."""
        copied = type(self)(self)
        # Not as arguments: a field may be called `base`.
        copied._store.update(fields)
        return copied

    def without(self, *keys: str) -> Self:
        """Return a copy that lacks the fields called `keys`; absent ones are fine."""
        copied = self.copy()
        for key in keys:
            copied._store.pop(key, None)
        return copied

    def toDict(self) -> dict[str, Any]:  # noqa: N802 - the name DSPy's users know
        """Return plain dicts and lists all the way down; pydantic models too."""
        return {name: _plain(value) for name, value in self._store.items()}

    def keys(self, *, include_dspy: bool = False) -> list[str]:
        """Return the field names in order, without the `dspy_` ones by default."""
        return [name for name in self._store if include_dspy or _is_shown(name)]

    def values(self, *, include_dspy: bool = False) -> list[Any]:
        """Return the values in the order of `keys()`."""
        return [self._store[name] for name in self.keys(include_dspy=include_dspy)]

    def items(self, *, include_dspy: bool = False) -> list[tuple[str, Any]]:
        """Return (name, value) pairs in the order of `keys()`."""
        return [(key, self._store[key]) for key in self.keys(include_dspy=include_dspy)]

    def get(self, key: str, default: Any = None) -> Any:
        """Return the field `key`, or `default` when there is none."""
        return self._store.get(key, default)

    def _known_input_keys(self, asked_for: str) -> frozenset[str]:
        if self._input_keys is None:
            raise DataError(
                f"the {asked_for} of this example are not known; nobody said which "
                f"of its fields ({_names(self._store)}) are inputs. Call "
                f"with_inputs({next(iter(self._store), 'name')!r}), or load the data "
                "with dspex.load(..., inputs=[...])."
            )
        return self._input_keys

    def __getattr__(self, name: str) -> Any:
        # Python asks for dunders on half-built objects (copying, debuggers), when
        # there is no `_store` yet: looking into it then would never end.
        if name.startswith("__") or name == "_store":
            raise AttributeError(name)
        if name not in self._store:
            raise AttributeError(_no_field(self, name), name=name, obj=self)
        return self._store[name]

    def __setattr__(self, name: str, value: Any) -> None:
        own = getattr(type(self), name, None)
        if own is None:
            self._store[name] = value
        elif callable(own):
            raise AttributeError(
                f"{name!r} is a method of {type(self).__name__}; a field of that name "
                f"is set as an item. Write example[{name!r}] = ....",
                name=name,
                obj=self,
            )
        else:
            object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        if name not in self._store:
            raise AttributeError(_no_field(self, name), name=name, obj=self)
        del self._store[name]

    def __getitem__(self, key: str) -> Any:
        if key not in self._store:
            raise KeyError(_no_field(self, key))
        return self._store[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._store[key] = value

    def __delitem__(self, key: str) -> None:
        if key not in self._store:
            raise KeyError(_no_field(self, key))
        del self._store[key]

    def __contains__(self, key: object) -> bool:
        return key in self._store

    def __len__(self) -> int:
        return len(self.keys())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Example):
            return NotImplemented
        return self._store == other._store

    def __hash__(self) -> int:
        return _hash_of(self._store)

    def __dir__(self) -> list[str]:
        # A field of a method's name is reached as an item only, and is there anyway.
        own = super().__dir__()
        return sorted({*own, *(name for name in self._store if name.isidentifier())})

    def _ipython_key_completions_(self) -> list[str]:
        return self.keys()

    def __rich__(self) -> Any:
        return as_rich("\n".join(f"{name}: {value}" for name, value in self.items()))

    def _repr_html_(self) -> str:
        from dspex.core.elements import fields_table, written

        return written(fields_table(self.items()))

    def __repr__(self) -> str:
        shown = {name: self._store[name] for name in self.keys()}
        return f"{type(self).__name__}({shown!r}) (input_keys={self._inputs_shown()})"

    def _inputs_shown(self) -> str:
        if self._input_keys is None:
            return "None"
        names = ", ".join(repr(name) for name in sorted(self._input_keys))
        return f"{{{names}}}" if names else "set()"


def example_of(fields: dict[str, Any], input_keys: frozenset[str] | None) -> Example:
    """Make an example of a dict that nobody else will change, without copying it.

    For data of many rows: a row read from a file is kept once and not three times.
    """
    example = Example.__new__(Example)
    object.__setattr__(example, "_store", fields)
    object.__setattr__(example, "_input_keys", input_keys)
    return example


def arguments_of(example: Example) -> dict[str, Any]:
    """Return what a program is called with for an example: its inputs by name.

    Raises:
        DataError: When nobody said which fields are inputs.
    """
    if type(example) is not Example:
        return {**example.inputs()}
    keys = example._known_input_keys("inputs")
    return {
        name: value
        for name, value in example._store.items()
        if name in keys and _is_shown(name)
    }


def _is_shown(name: str) -> bool:
    return not name.startswith(HIDDEN_PREFIX)


def _names(fields: Mapping[str, Any]) -> str:
    return ", ".join(repr(name) for name in fields) or "none"


def _no_field(example: Example, name: str) -> str:
    return (
        f"no field {name!r} in this {type(example).__name__}; "
        f"its fields are: {_names(example._store)}."
    )


def _plain(value: Any) -> Any:
    match value:
        case Example():
            return value.toDict()
        case BaseModel():
            return value.model_dump()
        case Mapping():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value


def _hash_of(value: Any) -> int:
    """Hash `value` so that equal values agree, whatever they are made of."""
    match value:
        case Mapping():
            return hash(frozenset((key, _hash_of(item)) for key, item in value.items()))
        case list() | tuple():
            return hash(tuple(_hash_of(item) for item in value))
        case set():
            return hash(frozenset(value))
        case _:
            try:
                return hash(value)
            except TypeError:
                # Unhashable and of unknown make: equality alone tells them apart.
                return 0
