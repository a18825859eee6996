"""What a program takes and gives, worked out once and checked at each request.

A program of one signature takes its inputs and gives its outputs. Any other takes what
its `forward` (or the function itself) takes, by its annotations, and gives an object.
"""

from __future__ import annotations

import difflib
import inspect
import itertools
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from dspex.client.providers.json_body import write_json
from dspex.core.adapters.annotations import checker_of, is_text_type
from dspex.core.adapters.demos import allows_none
from dspex.core.errors import AdapterError, ConfigurationError
from dspex.core.fields import UNTYPED_KEY, description_of, extra_of
from dspex.core.signature import Signature
from dspex.core.type_names import type_name
from dspex.programs.chain_of_thought import ChainOfThought
from dspex.programs.program import Program
from dspex.serve.refusals import Refusal, Refused, shortened, shown

_MISSING = inspect.Parameter.empty
_MOST_FAULTS: Final = 10
"""Faults of a body that are told; a body may have a hundred thousand."""
_LONGEST_FAULT: Final = 200
"""Characters of what is told of one, and of a name that is no input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One input or output."""

    name: str
    """Its name."""
    annotation: Any
    """Its type; `Any` for one that has none."""
    checker: TypeAdapter[Any] | None
    """What knows its values; `None` when any will do."""
    is_required: bool = True
    """Whether it has to be given."""
    description: str = ""
    """What its author says of it."""

    @property
    def expected(self) -> str:
        """Its type, as a person writes it."""
        return "any value" if self.checker is None else type_name(self.annotation)

    def read(self, value: Any) -> Any:
        """Return the value that JSON stands for.

        Raises:
            ValidationError: It is of another type.
        """
        if self.checker is None or (self.annotation is str and type(value) is str):
            return value
        # As JSON: a date is a text there, and a number in quotes is no number.
        return self.checker.validate_json(write_json(value), strict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a program takes and gives."""

    name: str
    """The program's name."""
    inputs: Mapping[str, Field]
    """What it takes."""
    outputs: Mapping[str, Field]
    """What it gives, as far as that is known."""
    is_open: bool = False
    """Whether it takes inputs of any other name, too."""
    description: str = ""
    """What it does."""

    @classmethod
    def of(cls, name: str, program: Callable[..., Any]) -> Contract:
        """Work out what a program takes and gives.

        Raises:
            ConfigurationError: It takes something that has no name.
        """
        signature = signature_of(program)
        if signature is None:
            return _of_function(name, program)
        return cls(
            name=name,
            inputs=_fields(signature.input_fields, _input),
            outputs=_fields(signature.output_fields, _output),
            description=signature.instructions,
        )

    def read(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs of a call, each of its type.

        Raises:
            Refused: One is missing, unknown, or of another type; the first ten faults
                are told.
        """
        faults = list(itertools.islice(self._misnamed(given), _MOST_FAULTS))
        read = {}
        for name, value in given.items():
            if len(faults) >= _MOST_FAULTS:
                break
            field = self.inputs.get(name)
            if field is None:
                read[name] = value
                continue
            try:
                read[name] = field.read(value)
            except ValidationError as error:
                faults.append(_fault(field, _what_is_wrong(error)))
        if faults:
            raise Refused(self._refusal(faults))
        return read

    def _misnamed(self, given: Mapping[str, Any]) -> Iterator[dict[str, str]]:
        for field in self.inputs.values():
            if field.is_required and field.name not in given:
                yield _fault(field, "it is missing")
        if not self.is_open:
            yield from (
                self._unknown(name) for name in given if name not in self.inputs
            )

    def _unknown(self, name: str) -> dict[str, str]:
        name = shortened(name, _LONGEST_FAULT)
        close = difflib.get_close_matches(name, self.inputs, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "leave it out"
        return {
            "field": name,
            "expected": "no such input",
            "problem": f"it is no input; {hint}",
        }

    def _refusal(self, faults: list[dict[str, str]]) -> Refusal:
        told = "; ".join(
            f"{fault['field']!r}: {fault['problem']} (expected {fault['expected']})"
            for fault in faults
        )
        known = ", ".join(
            f"{field.name!r} ({field.expected})" for field in self.inputs.values()
        )
        return Refusal(
            status=422,
            type="invalid_inputs",
            message=f"the inputs do not fit: {told}. The inputs of {self.name!r} are: "
            f"{known or 'none'}. Mend them and ask again.",
            facts={"fields": faults},
        )


def signature_of(program: Any) -> type[Signature] | None:
    """Return the signature that all of a program answers; a larger one has none."""
    if isinstance(program, ChainOfThought):
        program = program.predict
    found = (
        getattr(program, "signature", None) if isinstance(program, Program) else None
    )
    is_signature = isinstance(found, type) and issubclass(found, Signature)
    return found if is_signature else None


def _fields(
    fields: Mapping[str, Any], made: Callable[[str, Any], Field]
) -> Mapping[str, Field]:
    return MappingProxyType({name: made(name, each) for name, each in fields.items()})


def _input(name: str, field: Any) -> Field:
    # Nobody gave it a type, and it takes any value.
    is_typed = field.annotation is not str or UNTYPED_KEY not in extra_of(field)
    return Field(
        name=name,
        annotation=field.annotation if is_typed else Any,
        checker=_checker(field.annotation, field.metadata) if is_typed else None,
        is_required=field.is_required() and not allows_none(field.annotation),
        description=description_of(name, field),
    )


def _output(name: str, field: Any) -> Field:
    # Code and reasoning are written as text.
    kind = str if is_text_type(field.annotation) else field.annotation
    return Field(
        name=name,
        annotation=kind,
        checker=_checker(kind, field.metadata),
        description=description_of(name, field),
    )


def _of_function(name: str, program: Callable[..., Any]) -> Contract:
    function = _called(program)
    hints = _hints(function)
    inputs, is_open = {}, False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            is_open = True
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            raise ConfigurationError(
                f"the program {name!r} takes {parameter.name!r} by position only; "
                "inputs come by name. Leave the / out of its parameters."
            )
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            annotation = hints.get(parameter.name, Any)
            inputs[parameter.name] = Field(
                name=parameter.name,
                annotation=annotation,
                checker=None if annotation is Any else _checker(annotation, ()),
                is_required=parameter.default is _MISSING,
            )
    return Contract(
        name=name,
        inputs=MappingProxyType(inputs),
        outputs=MappingProxyType({}),
        is_open=is_open,
        description=_first_line(program),
    )


def _called(program: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function whose parameters are the program's inputs."""
    if not isinstance(program, Program):
        return program
    is_written = type(program).forward is not Program.forward
    return program.forward if is_written else program.aforward


def _hints(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Return the annotations of a function; none where they cannot be looked up."""
    of_type = getattr(type(function), "__call__", None)  # noqa: B004 - wanted for its annotations
    is_plain = inspect.isroutine(function) or inspect.isclass(function)
    try:
        return typing.get_type_hints(
            function if is_plain else of_type, include_extras=True
        )
    except Exception:  # noqa: BLE001 - an annotation may name anything, or nothing
        return {}


def _first_line(program: Any) -> str:
    is_plain = inspect.isroutine(program)
    written = inspect.getdoc(program if is_plain else type(program)) or ""
    return written.partition("\n")[0]


def _checker(annotation: Any, metadata: Any) -> TypeAdapter[Any] | None:
    """Return what knows a type's values; `None` when pydantic cannot."""
    try:
        return checker_of(annotation, tuple(metadata))
    except AdapterError:
        return None


def _fault(field: Field, problem: str) -> dict[str, str]:
    told = shortened(problem, _LONGEST_FAULT)
    return {"field": field.name, "expected": field.expected, "problem": told}


def _what_is_wrong(error: ValidationError) -> str:
    told = [
        f"{_place(each['loc'])}{each['msg']}"
        for each in error.errors(include_url=False, include_input=False)[:3]
    ]
    return "; ".join(told) or shown(error)


def _place(steps: tuple[Any, ...]) -> str:
    return f"at {'.'.join(map(str, steps))}: " if steps else ""
