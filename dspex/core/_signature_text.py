"""Signature texts: `"question, k: int -> answers: list[str]"`.

The text is parsed by `ast` and walked; nothing in it is ever evaluated. Names are
looked up in the caller's `custom_types`, in a fixed table, among dspex's own types, and
last among the types the caller can see.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

from dspex.core._caller_types import own_type, type_in_sight
from dspex.core.errors import SignatureError
from dspex.core.types.base import Type

ARROW: Final = "->"
OPENING: Final = "def f("

BUILTIN_TYPES: Final = (
    *("str", "int", "float", "bool", "list", "dict", "tuple", "set", "frozenset"),
    *("bytes", "bytearray", "complex", "object"),
)
TYPING_NAMES: Final = (
    *("Any", "Optional", "Union", "Literal", "List", "Dict", "Tuple", "Set"),
    *("FrozenSet", "Sequence", "Iterable", "Mapping"),
)
RARER_TYPING_NAMES: Final = (
    *("MutableMapping", "MutableSequence", "Collection", "Deque", "DefaultDict"),
    *("OrderedDict", "Text", "Type", "Callable"),
)
"""Known as well, because DSPy knows them, and shown to nobody."""

_ALL_TYPING_NAMES: Final = (*TYPING_NAMES, *RARER_TYPING_NAMES)

KNOWN_TYPES: Final[Mapping[str, Any]] = types.MappingProxyType(
    {
        **{name: getattr(builtins, name) for name in BUILTIN_TYPES},
        **{name: getattr(typing, name) for name in _ALL_TYPING_NAMES},
        "NoneType": type(None),
        **{f"typing.{name}": getattr(typing, name) for name in _ALL_TYPING_NAMES},
    }
)
"""The type names every signature knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextField:
    """One field of the text."""

    name: str
    """Its name, a Python identifier."""
    annotation: Any
    """Its type, or `None` when the text gives none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSides:
    """The fields of a signature text, in their order."""

    inputs: tuple[TextField, ...]
    """What stands before the arrow."""
    outputs: tuple[TextField, ...]
    """What stands after it, at least one."""


def parse_text(text: str, custom_types: Mapping[str, Any]) -> TextSides:
    """Read a signature's text.

    Args:
        text: The text, such as `"country -> capital"`.
        custom_types: More type names, dotted ones too; they win over all others.

    Raises:
        SignatureError: When the text is no signature; the place is pointed at.
    """
    # One line, so that a column in an error is a column of the text.
    flat = re.sub(r"\s", " ", text)
    at = _arrow(flat)
    end = at + len(ARROW)
    inputs = _Side(flat, 0, flat[:at], custom_types).fields()
    outputs = _Side(flat, end, flat[end:], custom_types).fields()
    if not outputs:
        raise _error(
            flat, end, "no output stands after the arrow", "at least one field"
        )
    return TextSides(inputs=inputs, outputs=outputs)


def _arrow(text: str) -> int:
    arrows = list(_arrows(text))
    if not arrows:
        raise _error(
            text,
            len(text.rstrip()),
            f"no arrow in the signature {text!r}",
            "inputs, '->' and outputs",
            "Write it as 'question -> answer'.",
        )
    if len(arrows) > 1:
        raise _error(
            text,
            arrows[1],
            f"{len(arrows)} arrows in the signature",
            "exactly one '->' between inputs and outputs",
            "Separate fields of one side with commas: 'a, b -> c, d'.",
        )
    return arrows[0]


def _arrows(text: str) -> Iterator[int]:
    """Yield where an arrow stands outside of quotes."""
    quote = ""
    for at, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif text.startswith(ARROW, at):
            yield at


class _Side:
    """One side of the arrow, and where it starts in the whole text."""

    def __init__(
        self, text: str, start: int, side: str, custom_types: Mapping[str, Any]
    ) -> None:
        self._text = text
        self._start = start
        self._side = side
        self._custom_types = custom_types

    def fields(self) -> tuple[TextField, ...]:
        try:
            return tuple(self._field(argument) for argument in self._arguments())
        except (RecursionError, MemoryError):
            raise self._error_at(
                0, "the types are nested too deeply", "plainer types"
            ) from None

    def _arguments(self) -> list[ast.arg]:
        """Parse the side as the arguments of a function, and take nothing else."""
        function = self._function()
        spec = function.args
        extras = [spec.vararg, spec.kwarg, *spec.posonlyargs, *spec.kwonlyargs]
        if any(extras) or spec.defaults:
            raise self._unreadable(0)
        return spec.args

    def _function(self) -> ast.FunctionDef:
        try:
            body = ast.parse(f"{OPENING}{self._side}): pass").body
        except SyntaxError as error:
            column = (error.offset or 1) - 1 - len(OPENING)
            raise self._unreadable(column) from None
        except ValueError:
            raise self._unreadable(self._side.find("\0")) from None
        # Text that closes our bracket and opens its own ("a): pass #") parses as well;
        # then our `pass` is not where we put it.
        where = len(OPENING) + len(self._side.encode()) + len("): ")
        match body:
            case [ast.FunctionDef(body=[ast.Pass(col_offset=column)]) as function] if (
                column == where
            ):
                return function
        raise self._unreadable(0)

    def _field(self, argument: ast.arg) -> TextField:
        given = argument.annotation
        annotation = None if given is None else self._type(given)
        # None is also a type; "not given" must stay apart from it.
        if given is not None and annotation is None:
            annotation = type(None)
        return TextField(name=argument.arg, annotation=annotation)

    def _type(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=None):
                return None
            case ast.Name() | ast.Attribute():
                return self._named(node)
            case ast.BinOp(op=ast.BitOr(), left=left, right=right):
                return self._built(node, lambda: self._union(left, right))
            case ast.Subscript(value=value, slice=arguments):
                return self._generic(node, self._type(value), arguments)
            case _:
                raise self._unknown_type(node)

    def _union(self, left: ast.expr, right: ast.expr) -> Any:
        # Union takes any two types; `|` wants at least one that knows the operator.
        union: Any = typing.Union
        return union[self._type(left), self._type(right)]

    def _generic(self, node: ast.expr, base: Any, arguments: ast.expr) -> Any:
        many = isinstance(arguments, ast.Tuple)
        nodes = arguments.elts if isinstance(arguments, ast.Tuple) else [arguments]
        read = self._literal if _takes_words(base) else self._argument
        values = tuple(read(argument) for argument in nodes)
        return self._built(node, lambda: base[values if many else values[0]])

    def _argument(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant) and node.value is Ellipsis:
            return ...
        return self._type(node)

    def _literal(self, node: ast.expr) -> Any:
        try:
            value = ast.literal_eval(node)
        except ValueError:
            value = ...
        if not isinstance(value, str | int | bytes | bool | None):
            raise self._error_at(
                self._column(node),
                f"{ast.unparse(node)!r} cannot stand in Literal[...]",
                "quoted words or whole numbers",
                "Write it as Literal['yes', 'no'].",
            )
        return value

    def _named(self, node: ast.Name | ast.Attribute) -> Any:
        name = ast.unparse(node)
        for table in (self._custom_types, KNOWN_TYPES):
            if name in table:
                return table[name]
        first, *rest = name.split(".")
        if rest and first in self._custom_types:
            found = reduce(_attribute, rest, self._custom_types[first])
            if found is not None:
                return found
        found = own_type(name) if rest else None
        found = type_in_sight(name) if found is None else found
        if found is None:
            raise self._unknown_type(node)
        return found

    def _built(self, node: ast.expr, build: Callable[[], Any]) -> Any:
        try:
            return build()
        except (TypeError, ValueError, LookupError) as error:
            raise self._error_at(
                self._column(node),
                f"{ast.unparse(node)!r} is no type ({error})",
                "a type such as list[int] or dict[str, float]",
            ) from None

    def _column(self, node: ast.expr) -> int:
        """Return where a node stands in this side; ast counts in UTF-8 bytes."""
        line = f"{OPENING}{self._side}".encode()
        return len(line[: node.col_offset].decode(errors="replace")) - len(OPENING)

    def _unknown_type(self, node: ast.expr) -> SignatureError:
        shown = ast.unparse(node)
        known = ", ".join((*BUILTIN_TYPES, *TYPING_NAMES))
        return self._error_at(
            self._column(node),
            f"unknown type {shown!r}",
            f"one of {known}, 'X | None', or a class that is in sight here",
            f"Import it, or pass Signature(..., custom_types={{{shown!r}: ...}}).",
        )

    def _unreadable(self, column: int) -> SignatureError:
        return self._error_at(
            column,
            "this cannot be read as fields",
            "names with optional types, separated by commas; a name is a Python "
            "identifier and no keyword",
            "Write it as 'question, k: int -> answer'.",
        )

    def _error_at(
        self, column: int, happened: str, expected: str, mend: str = ""
    ) -> SignatureError:
        inside = min(max(column, 0), len(self._side))
        return _error(self._text, self._start + inside, happened, expected, mend)


def _takes_words(base: Any) -> bool:
    """Say whether quoted words stand in its brackets: `Literal["a"]`, `Code["sql"]`."""
    return base is typing.Literal or (inspect.isclass(base) and issubclass(base, Type))


def _attribute(owner: Any, name: str) -> Any:
    return None if name.startswith("_") else getattr(owner, name, None)


def _error(
    text: str, column: int, happened: str, expected: str, mend: str = ""
) -> SignatureError:
    """Return an error with a caret under the place; long texts are shown around it."""
    start = max(0, column - 60)
    shown = text[start : start + 100]
    message = f"{happened}; expected {expected}. {mend}".rstrip()
    return SignatureError(f"{message}\n  {shown}\n  {' ' * (column - start)}^")
