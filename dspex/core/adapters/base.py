"""The port of all adapters, and how raw texts become a signature's values."""

from __future__ import annotations

import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from dspex.core.adapters.annotations import type_name
from dspex.core.adapters.parse import parse_value
from dspex.core.errors import AdapterParseError
from dspex.core.example import Example
from dspex.core.lm import LanguageModel, Message, Reply
from dspex.core.signature import Signature

Row = Example | Mapping[str, Any]
"""A demo or a call's inputs: fields by name."""

SHOWN: Final = 200
"""How many characters of a reply an error text shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One call as an adapter has written it, and what it takes to read the answer."""

    signature: type[Signature]
    """The program's signature, all of whose outputs the answer is to give."""
    shown: type[Signature]
    """What the texts are about: without the fields that travel beside them, such as
    tools and tool calls where the provider has them natively."""
    messages: tuple[Message, ...]
    """The chat."""
    settings: Mapping[str, Any]
    """What the adapter wants; the model's own settings and the user's win."""


class Adapter(ABC):
    """Turns a signature into messages, and a reply into the signature's values."""

    name: ClassVar[str]
    """What `adapter_named()` and a model's `adapter` call it."""

    def ask(
        self,
        signature: type[Signature],
        demos: Sequence[Row],
        inputs: Row,
        model: LanguageModel,
    ) -> Asked:
        """Write one call.

        Args:
            signature: What is asked for.
            demos: Worked examples.
            inputs: The inputs of this call.
            model: Who will be asked; what it can do decides what travels natively.
        """
        return Asked(
            signature=signature,
            shown=signature,
            messages=tuple(self.format(signature, demos, inputs)),
            settings=_unset(self.settings(signature), model),
        )

    def read(self, asked: Asked, reply: Reply) -> list[dict[str, Any]]:
        """Return the values of all outputs, one mapping per completion.

        Raises:
            AdapterParseError: When a completion does not fit.
        """
        return [self.parse(asked.shown, text) for text in reply.texts]

    @abstractmethod
    def format(
        self, signature: type[Signature], demos: Sequence[Row], inputs: Row
    ) -> tuple[Message, ...]:
        """Return the messages of one call.

        No value, however it is written, can look like another field or another turn.

        Args:
            signature: What is asked for.
            demos: Worked examples. Those that lack a field come first, and those
                that lack every input or every output are left out.
            inputs: The inputs of this call.
        """

    def settings(
        self,
        signature: type[Signature],  # noqa: ARG002 - for those who need it
    ) -> Mapping[str, Any]:
        """Return settings this adapter wants; the model's and the user's own win."""
        return {}

    @abstractmethod
    def parse(self, signature: type[Signature], completion: str) -> dict[str, Any]:
        """Return the values of all outputs.

        Raises:
            AdapterParseError: When the reply does not fit; no other error comes from
                a text.
        """


def _unset(wanted: Mapping[str, Any], model: LanguageModel) -> dict[str, Any]:
    """Return the adapter's settings, without those the user gave the model itself."""
    if not wanted:
        return {}
    own = model.dump_state()
    return {key: value for key, value in wanted.items() if own.get(key) is None}


def usable_demos(signature: type[Signature], demos: Sequence[Row]) -> list[Row]:
    """Return the demos worth showing: incomplete ones first, then complete ones."""
    usable = [
        demo
        for demo in demos
        if (not signature.input_fields or _has_any(demo, signature.input_fields))
        and _has_any(demo, signature.output_fields)
    ]
    # The last demos weigh most, so the complete ones stand there. The sort is stable.
    return sorted(usable, key=lambda demo: is_complete(signature, demo))


def is_complete(signature: type[Signature], demo: Row) -> bool:
    """Say whether a demo gives every field of the signature."""
    fields = signature.fields
    return all(is_given(demo, name, field) for name, field in fields.items())


def is_given(row: Row, name: str, field: FieldInfo) -> bool:
    """Say whether a row has a field; `None` counts only where the type allows it."""
    return name in row and (row[name] is not None or allows_none(field.annotation))


def read_outputs(
    adapter_name: str,
    signature: type[Signature],
    texts: Mapping[str, str],
    completion: str,
) -> dict[str, Any]:
    """Turn the raw text of each output into its value.

    Args:
        adapter_name: For the error.
        signature: Whose outputs these are.
        texts: The text found for each output; absent ones get their default, or
            `None` where the type allows it.
        completion: The whole reply, for the error.

    Raises:
        AdapterParseError: When an output is missing or has another type.
    """
    values: dict[str, Any] = {}
    problems = []
    for name, field in signature.output_fields.items():
        try:
            values[name] = _value_of(name, field, texts)
        except ValueError as error:
            problems.append(f"{name!r} {_reason(error)}")
    if problems:
        raise AdapterParseError(
            _refusal(adapter_name, signature, problems, completion),
            adapter_name=adapter_name,
            lm_response=completion,
            expected=tuple(signature.output_fields),
            parsed_result=values,
        )
    return values


def _value_of(name: str, field: FieldInfo, texts: Mapping[str, str]) -> Any:
    if name in texts:
        return parse_value(texts[name], field.annotation, tuple(field.metadata))
    if not field.is_required():
        return field.get_default(call_default_factory=True, validated_data={})
    if allows_none(field.annotation):
        return None
    message = "is missing"
    raise ValueError(message)


def allows_none(annotation: Any) -> bool:
    """Say whether a type is `Optional`."""
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return union and type(None) in typing.get_args(annotation)


def _has_any(demo: Row, fields: Mapping[str, FieldInfo]) -> bool:
    return any(is_given(demo, name, field) for name, field in fields.items())


def _reason(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(step) for step in first["loc"])
    said = first["msg"][:1].lower() + first["msg"][1:]
    return f"does not fit ({where}: {said})" if where else f"does not fit ({said})"


def _refusal(
    adapter_name: str,
    signature: type[Signature],
    problems: list[str],
    completion: str,
) -> str:
    fields = ", ".join(
        f"{name!r} ({type_name(field.annotation)})"
        for name, field in signature.output_fields.items()
    )
    return (
        f"the reply does not fit {signature.signature!r}: {'; '.join(problems)}. "
        f"The {adapter_name} adapter expected {fields}; what came is "
        f"{shortened(completion)}. Show the model worked examples (demos), or raise "
        "max_tokens if the reply was cut off."
    )


def shortened(text: str) -> str:
    """Return a text quoted, and capped for an error."""
    if len(text) <= SHOWN:
        return repr(text)
    return f"{text[:SHOWN]!r}... ({len(text)} characters)"
