"""Earlier turns of a conversation, and tool calls in them, for every adapter."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Protocol

from dspex.core.adapters.render import render_value
from dspex.core.adapters.special import special_fields, without_fields
from dspex.core.errors import AdapterError
from dspex.core.fields import InputField
from dspex.core.lm import Message, ToolCall
from dspex.core.signature import Signature, make_signature
from dspex.core.types.history import History
from dspex.core.types.tool_calls import ToolCallResults, ToolCalls


class Writer(Protocol):
    """What writes the texts of a turn: an adapter."""

    use_native_function_calling: bool
    """Whether calls and their results travel beside the texts."""

    def format_user_message_content(
        self,
        signature: type[Signature],
        inputs: Any,
        prefix: str = "",
        suffix: str = "",
        main_request: bool = False,  # noqa: FBT001, FBT002 - DSPy's order
    ) -> str:
        """Return the inputs as a user turn."""

    def format_assistant_message_content(
        self,
        signature: type[Signature],
        outputs: Any,
        missing_field_message: str | None = None,
    ) -> str:
        """Return the outputs as an assistant's turn."""


def earlier_turns(history: Any) -> list[dict[str, Any]]:
    """Return the turns of a history, oldest first.

    Args:
        history: A `History`, what it is made of (a mapping, a list), or `None`.

    Raises:
        AdapterError: When it is no history.
    """
    if history is None:
        return []
    if isinstance(history, History):
        return history.messages
    given = history if isinstance(history, Mapping) else {"messages": history}
    try:
        return History.model_validate(given).messages
    except ValueError as error:
        raise AdapterError(
            f"a history of type {type(history).__name__} cannot be read; expected "
            "History(messages=[...]), each a mapping of the signature's fields. Write "
            "it so."
        ) from error


def earlier_turn(
    writer: Writer, signature: type[Signature], values: Mapping[str, Any]
) -> Iterator[Message]:
    """Yield the messages of one earlier turn: what was asked, answered, called.

    Args:
        writer: Who writes the texts.
        signature: What the turn is about.
        values: Its inputs and outputs by name; any may be absent.
    """
    if any(name in values for name in signature.input_fields):
        content = writer.format_user_message_content(
            signature, values, main_request=True
        )
        yield Message("user", content)
    found = _calls_in(signature, values)
    if found is None:
        yield from _answer(writer, signature, values)
    elif writer.use_native_function_calling:
        yield from _native(found[1], _said_besides(writer, signature, values))
    else:
        name, calls = found
        bare = ToolCalls(tool_calls=calls.tool_calls)
        yield from _answer(writer, signature, {**values, name: bare})
        if (results := _results_of(calls)) is not None:
            row = {"tool_call_results": results}
            yield Message("user", writer.format_user_message_content(_results(), row))


def _answer(
    writer: Writer, signature: type[Signature], values: Mapping[str, Any]
) -> Iterator[Message]:
    if any(name in values for name in signature.output_fields):
        content = writer.format_assistant_message_content(signature, values)
        yield Message("assistant", content)


def _said_besides(
    writer: Writer, signature: type[Signature], values: Mapping[str, Any]
) -> str:
    """Return what an assistant that called tools natively said in its text."""
    tool_calls = special_fields(signature).tool_calls
    unsaid = (
        name
        for name in signature.output_fields
        if values.get(name) is None or name == tool_calls
    )
    said = without_fields(signature, *unsaid)
    if not said.output_fields:
        return ""
    return writer.format_assistant_message_content(said, values)


def _calls_in(
    signature: type[Signature], turn: Mapping[str, Any]
) -> tuple[str, ToolCalls] | None:
    """Return the field of a turn that has tool calls, and the calls.

    A value of any other field is no call, whatever it looks like: a row or a model may
    have written it.
    """
    others = signature.fields.keys() - {special_fields(signature).tool_calls}
    for name, value in turn.items():
        if isinstance(value, ToolCalls):
            return name, value
        if name not in others and isinstance(value, Mapping) and "tool_calls" in value:
            # As a saved turn has them. A mapping of somebody's own is left alone.
            with suppress(ValueError):
                return name, ToolCalls.model_validate(value)
    return None


def _results_of(calls: ToolCalls) -> ToolCallResults | None:
    """Return what came of some calls, or `None` when that is not known."""
    if calls.tool_call_results is None:
        return None
    return ToolCallResults.model_validate(calls.tool_call_results)


@lru_cache(maxsize=1)
def _results() -> type[Signature]:
    """Return the signature of a turn that has the results of calls."""
    return make_signature({"tool_call_results": (ToolCallResults, InputField())}, "")


def _native(calls: ToolCalls, content: str) -> Iterator[Message]:
    """Yield an assistant's turn with its calls, and a turn for each result.

    Calls without a result for each are left out: no provider takes them.

    Args:
        calls: The calls, with their results.
        content: What the assistant said besides.
    """
    results = _results_of(calls)
    ids = [call.id for call in calls.tool_calls]
    if results is None or not all(ids) or ids != _ids_of(results):
        if content:
            yield Message("assistant", content)
        return
    yield Message(
        "assistant",
        content,
        tool_calls=tuple(
            ToolCall(
                id=str(call.id),
                name=call.name,
                arguments=json.dumps(call.args, ensure_ascii=False, default=str),
            )
            for call in calls.tool_calls
        ),
    )
    for result in results.tool_call_results:
        yield Message("tool", render_value(result.value), tool_call_id=result.call_id)


def _ids_of(results: ToolCallResults) -> list[str | None]:
    return [result.call_id for result in results.tool_call_results]
