"""Finds what a program is made of, and says by which name each part is reached."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dspex.core.errors import ConfigurationError
from dspex.core.foreign import refuse_dspy


class Beside:
    """Marks what optimisers leave on a program for a person to read.

    It tells how the program was found, maybe with other programs in it, and is no part
    of it: nobody looks into it, copies it, or saves it. See `beside`.
    """


class _BesideList(Beside, list[Any]): ...


class _BesideDict(Beside, dict[Any, Any]): ...


class _BesideInt(Beside, int): ...


class _BesideFloat(Beside, float): ...


_BESIDE = {
    list: _BesideList,
    dict: _BesideDict,
    int: _BesideInt,
    float: _BesideFloat,
}


def beside(value: Any) -> Any:
    """Return a list, a dict or a number as it is, and marked as `Beside`."""
    return _BESIDE[type(value)](value)


class Walkable:
    """What the walk looks into, besides lists, tuples and dicts: every program."""

    _compiled: bool = False
    """Set by optimisers: a compiled program inside another one is left alone."""


class Parameter:
    """Marks what an optimiser may change. `Predict` is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a parameter stands."""

    name: str
    """How it is reached, such as `steps[0].predict`."""
    value: Any
    """The parameter."""
    holder: Any
    """What holds it; `None` for the program the walk began at."""
    key: Any
    """Its attribute, index or key in the holder."""

    def put(self, value: Any) -> None:
        """Put something else there.

        Raises:
            ConfigurationError: When the holder cannot be changed.
        """
        match self.holder:
            case Walkable():
                setattr(self.holder, self.key, value)
            case list() | dict():
                self.holder[self.key] = value
            case _:
                raise ConfigurationError(
                    f"the predictor {self.name!r} cannot be replaced; it stands in a "
                    "tuple or is the program itself. Keep it in an attribute or a list."
                )


def parameter_places(program: Walkable) -> list[Place]:
    """Return the places of all parameters in the order of attributes, each once."""
    first: dict[int, Place] = {}
    for place in every_place(program):
        first.setdefault(id(place.value), place)
    return list(first.values())


def every_place(program: Walkable) -> Iterator[Place]:
    """Yield all places of all parameters, also the second one of the same object."""
    if isinstance(program, Parameter):
        yield Place(name="self", value=program, holder=None, key=None)
    yield from _places_in(program, "", {id(program)})


def _places_in(holder: Any, name: str, seen: set[int]) -> Iterator[Place]:
    """Yield the places in a holder; `seen` holds what was looked into already.

    Raises:
        ConfigurationError: Something in it is an object of DSPy.
    """
    for step, key, value in _inside(holder, quoted=True):
        path = f"{name}{step}" if name else step.removeprefix(".")
        if isinstance(value, Parameter):
            yield Place(name=path, value=value, holder=holder, key=key)
        elif _is_open(value) and id(value) not in seen:
            seen.add(id(value))
            yield from _places_in(value, path, seen)
        else:
            refuse_dspy(value, path)


def _is_open(value: Any) -> bool:
    """Say whether to look into something; a compiled program is frozen."""
    if isinstance(value, Walkable):
        return not value._compiled  # noqa: SLF001 - declared above
    return isinstance(value, list | tuple | dict)


def everything_in(
    program: Walkable, *, skip_compiled: bool
) -> Iterator[tuple[str, Any]]:
    """Yield the program and every object in it, by name, breadth first, each once."""
    queue: deque[tuple[str, Any]] = deque([("self", program)])
    seen = {id(program)}
    while queue:
        name, item = queue.popleft()
        yield name, item
        if skip_compiled and isinstance(item, Walkable) and item._compiled:  # noqa: SLF001 - declared above
            continue
        for step, _, inner in _inside(item, quoted=False):
            if id(inner) not in seen:
                seen.add(id(inner))
                queue.append((f"{name}{step}", inner))


def _inside(item: Any, *, quoted: bool) -> list[tuple[str, Any, Any]]:
    """Return what an object holds: the step of the name, the key, the value.

    DSPy writes keys in quotes for parameters and without for sub-modules, and saved
    files have those names.
    """
    match item:
        case Walkable():
            return [
                (f".{name}", name, value)
                for name, value in vars(item).items()
                if not isinstance(value, Beside)
            ]
        case list() | tuple():
            return [(f"[{index}]", index, value) for index, value in enumerate(item)]
        case dict():
            quote = "'" if quoted else ""
            return [
                (f"[{quote}{key}{quote}]", key, value) for key, value in item.items()
            ]
        case _:
            return []
