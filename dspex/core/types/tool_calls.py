"""`ToolCalls` and `ToolCallResults`: what a model wants called, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import (
    BaseModel,
    Field,
    SerializationInfo,
    TypeAdapter,
    model_serializer,
    model_validator,
)

from dspex.core.errors import ToolArgumentError, ToolExecutionError
from dspex.core.safe_text import text_of_error
from dspex.core.types.base import Type
from dspex.core.types.tool import Tool


def _without(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without a field that is not for the model to write."""
    # In place: pydantic keeps the schema it handed out, and points to it elsewhere.
    schema["properties"].pop(name)
    return schema


class ToolCalls(Type):
    """The calls that a model wants made, in its order; the type of an output field.

    Example:
        >>> calls = ToolCalls.from_dict_list([{"name": "add", "args": {"x": 1}}])
        >>> calls.tool_calls[0].name
        'add'
    """

    class ToolCall(Type):
        """One call a model wants made."""

        id: str | None = None
        """The provider's id, which the result names; no model writes it."""
        name: str
        """The tool."""
        args: dict[str, Any] = Field(json_schema_extra={"additionalProperties": True})
        """Its arguments by name, as the model wrote them."""

        @classmethod
        def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> Any:
            schema = super().__get_pydantic_json_schema__(core_schema, handler)
            return _without("id", schema)

        def format(self) -> dict[str, Any]:
            """Return the call as JSON."""
            return {"name": self.name, "args": self.args}

        def execute(
            self, functions: Mapping[str, Any] | Sequence[Tool] | None = None
        ) -> Any:
            """Make the call and return its result.

            The functions must be given: the name comes from a model, and looking it up
            among whatever your module can see would let the model choose any of that.

            Args:
                functions: Functions or tools by name, or a list of tools.

            Raises:
                ValueError: When none of them has the name.
                ToolArgumentError: When a tool does not take the arguments.
                ToolExecutionError: When the function raises; its error is the cause.
            """
            function = _found(self.name, functions)
            try:
                return function(**self.args)
            except ToolArgumentError:
                raise
            except Exception as error:
                raise ToolExecutionError(
                    f"the tool {self.name!r} raised {type(error).__name__}: "
                    f"{text_of_error(error)}. "
                    "Mend the tool, or give the model that text as the call's result.",
                    tool=self.name,
                ) from error

    tool_calls: list[ToolCall]
    """The calls."""
    tool_call_results: Any | None = None
    """What came of them, where a program puts it; the model does not write it."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> Any:
        schema = super().__get_pydantic_json_schema__(core_schema, handler)
        return _without("tool_call_results", schema)

    @classmethod
    def from_dict_list(cls, tool_calls_dicts: Sequence[Mapping[str, Any]]) -> ToolCalls:
        """Return the calls of a list of mappings.

        Args:
            tool_calls_dicts: Each with `name` and `args`, or in a provider's words:
                `arguments` (a mapping or JSON text), or all of it under `function`.
        """
        return cls(tool_calls=[_call_of(one) for one in tool_calls_dicts])

    @classmethod
    def description(cls) -> str:
        """Return the shape a model has to write."""
        return (
            "JSON with the key `tool_calls`: a list of calls, each with the tool's "
            '`name` and its `args`, as in {"tool_calls": [{"name": "add", "args": '
            '{"x": 1}}]}'
        )

    def format(self) -> dict[str, Any]:
        """Return the calls as JSON, without their results."""
        return {"tool_calls": [call.format() for call in self.tool_calls]}

    def without_results(self) -> ToolCalls:
        """Return the calls as a model wrote them, with nothing that came of them."""
        if self.tool_call_results is None:
            return self
        return self.model_copy(update={"tool_call_results": None})

    @model_serializer(mode="plain")
    def serialize_model(self, info: SerializationInfo) -> Any:  # noqa: ARG002 - as in Type
        """Return the calls as JSON, with their results where there are some."""
        shown = self.format()
        if self.tool_call_results is not None:
            shown["tool_call_results"] = TypeAdapter(Any).dump_python(
                self.tool_call_results, mode="json"
            )
        return shown

    @classmethod
    def read_value(cls, value: Any) -> Any:
        """Take one call, a list of them, or the mapping that `format()` gives."""
        match value:
            case list() if all(_is_call(one) for one in value):
                return {"tool_calls": [_call_of(one) for one in value]}
            case {"tool_calls": list(calls)}:
                return {**value, "tool_calls": [_call_of(one) for one in calls]}
            case _ if _is_call(value):
                return {"tool_calls": [_call_of(value)]}
        message = (
            "this is no tool call; expected a mapping with 'name' and 'args', or a "
            "list of those"
        )
        raise ValueError(message)


class ToolCallResults(BaseModel):
    """What came of tool calls, one result for each."""

    class ToolCallResult(BaseModel):
        """What came of one call."""

        call_id: str | None = None
        """The id of the call."""
        name: str
        """The tool."""
        value: Any
        """What it returned, or what went wrong."""
        is_error: bool = False
        """Whether it went wrong."""

    tool_call_results: list[ToolCallResult]
    """The results, in the order of the calls."""

    @classmethod
    def from_tool_calls_and_values(
        cls,
        tool_calls: Sequence[ToolCalls.ToolCall] | ToolCalls,
        values: Sequence[Any],
        is_errors: Sequence[bool] | None = None,
    ) -> ToolCallResults:
        """Join calls with what came of them.

        Args:
            tool_calls: The calls.
            values: A value for each.
            is_errors: For each whether it went wrong; all went well when left out.

        Raises:
            ValueError: When the lengths differ.
        """
        calls = (
            tool_calls.tool_calls if isinstance(tool_calls, ToolCalls) else tool_calls
        )
        flags = [False] * len(calls) if is_errors is None else is_errors
        if not len(calls) == len(values) == len(flags):
            message = (
                f"{len(calls)} calls, {len(values)} values and {len(flags)} error "
                "flags do not go together; they must have the same length. Give one "
                "of each per call."
            )
            raise ValueError(message)
        return cls(
            tool_call_results=[
                cls.ToolCallResult(
                    call_id=call.id, name=call.name, value=value, is_error=is_error
                )
                for call, value, is_error in zip(calls, values, flags, strict=True)
            ]
        )

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        match value:
            case list():
                return {"tool_call_results": value}
            case {"name": _, "value": _}:
                return {"tool_call_results": [value]}
        return value


def _found(name: str, functions: Any) -> Callable[..., Any]:
    by_name = (
        functions
        if isinstance(functions, Mapping)
        else {tool.name: tool for tool in functions or ()}
    )
    if name not in by_name:
        known = ", ".join(map(repr, by_name)) or "none"
        message = (
            f"the tool {name!r} is not found among those given: {known}. Pass it: "
            "call.execute(functions=[...])."
        )
        raise ValueError(message)
    found: Callable[..., Any] = by_name[name]
    return found


def _is_call(value: Any) -> bool:
    if isinstance(value, ToolCalls.ToolCall):
        return True
    return isinstance(value, Mapping) and (
        "function" in value
        or ("name" in value and ("args" in value or "arguments" in value))
    )


def _call_of(value: Any) -> ToolCalls.ToolCall:
    if isinstance(value, ToolCalls.ToolCall):
        return value
    if not _is_call(value):
        message = "a tool call is a mapping with 'name' and 'args'"
        raise ValueError(message)
    called = value["function"] if isinstance(value.get("function"), Mapping) else value
    arguments = called.get("args", called.get("arguments"))
    return ToolCalls.ToolCall(
        id=value.get("id") or value.get("call_id"),
        name=called.get("name") or value.get("name"),
        args=_arguments_of(arguments),
    )


def _arguments_of(written: Any) -> Any:
    if isinstance(written, str):
        return read_arguments(written)
    # Models write null where a tool takes no arguments.
    return {} if written is None else written


def read_arguments(text: str) -> dict[str, Any]:
    """Return the arguments a model wrote as JSON text, mended where it can be.

    An empty text means no arguments.

    Raises:
        ValueError: When it is no mapping. Texts that would take long to mend, long or
            deeply nested ones, are not mended.
    """
    from dspex.core.adapters.parse import parse_value  # which needs this module

    if not text.strip():
        return {}
    arguments: dict[str, Any] = parse_value(text, dict[str, Any])
    return arguments
