"""Tool calls: the shapes they come in, what runs, what a model is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from dspex.core.errors import ToolArgumentError, ToolExecutionError
from dspex.core.types.tool import Tool
from dspex.core.types.tool_calls import ToolCallResults, ToolCalls, read_arguments

ADD = {"name": "add", "args": {"x": 1}}


def add(x: int, y: int = 0) -> int:
    return x + y


@pytest.mark.parametrize(
    "value",
    [
        ADD,
        [ADD],
        {"tool_calls": [ADD]},
        {"name": "add", "arguments": {"x": 1}},
        {"name": "add", "arguments": '{"x": 1}'},
        {"name": "add", "args": "{'x': 1,}"},
        {"type": "function", "function": {"name": "add", "arguments": '{"x": 1}'}},
        ToolCalls.ToolCall(name="add", args={"x": 1}),
        [ToolCalls.ToolCall(name="add", args={"x": 1})],
        ToolCalls.from_dict_list([ADD]),
    ],
)
def test_calls_are_read_in_each_shape_models_and_providers_write(value: Any) -> None:
    assert TypeAdapter(ToolCalls).validate_python(value).format() == {
        "tool_calls": [ADD]
    }


@pytest.mark.parametrize(
    "value", [{"name": "add", "args": None}, {"function": {"name": "add"}}]
)
def test_no_arguments_may_be_left_out_or_be_null(value: Any) -> None:
    [call] = ToolCalls.model_validate(value).tool_calls

    assert call.args == {}


@pytest.mark.parametrize(
    "value",
    [
        {"foo": "bar"},
        [{"foo": "bar"}],
        {"tool_calls": [3]},
        {"tool_calls": "add"},
        {"name": "add"},
        {"name": 3, "args": {}},
        {"name": "add", "args": [1]},
        {"name": "add", "arguments": "[1]"},
        {"function": "add"},
        "add(1)",
        None,
    ],
)
def test_what_is_no_call_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        ToolCalls.model_validate(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "args", "function", "tool_calls", "arguments"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(JSON)
def test_any_json_gives_calls_or_a_validation_error(value: Any) -> None:
    try:
        calls = ToolCalls.model_validate(value)
    except ValidationError:
        return

    assert ToolCalls.model_validate(calls.model_dump()) == calls


def test_no_calls_are_calls_too() -> None:
    assert ToolCalls.model_validate([]).tool_calls == []


def test_ids_are_kept_and_no_model_is_asked_for_them() -> None:
    calls = ToolCalls.from_dict_list([{**ADD, "id": "1"}, {**ADD, "call_id": "2"}])

    schema = json.dumps(TypeAdapter(list[ToolCalls]).json_schema())

    assert [call.id for call in calls.tool_calls] == ["1", "2"]
    assert '"id"' not in schema
    assert "tool_call_results" not in schema
    assert '"required": ["name", "args"]' in schema


def test_results_are_saved_beside_the_calls() -> None:
    calls = ToolCalls.from_dict_list([ADD])
    assert calls.model_dump() == {"tool_calls": [ADD]}

    calls.tool_call_results = ToolCallResults.from_tool_calls_and_values(calls, [1])

    dumped = calls.model_dump()
    assert dumped["tool_calls"] == [ADD]
    assert dumped["tool_call_results"]["tool_call_results"] == [
        {"call_id": None, "name": "add", "value": 1, "is_error": False}
    ]
    assert ToolCalls.model_validate(dumped).tool_call_results is not None


@pytest.mark.parametrize(
    "functions", [{"add": add}, {"add": Tool(add)}, [Tool(add)], (Tool(add),)]
)
def test_a_call_runs_the_function_of_its_name(functions: Any) -> None:
    call = ToolCalls.ToolCall(name="add", args={"x": 1, "y": 2})

    assert call.execute(functions) == 3
    assert call.execute(functions=functions) == 3


def test_a_call_never_looks_for_its_function_by_itself() -> None:
    call = ToolCalls.ToolCall(name="add", args={"x": 1})

    with pytest.raises(ValueError, match=r"'add' is not found among .*: none"):
        call.execute()
    with pytest.raises(ValueError, match="not found among those given: 'sub'"):
        call.execute([Tool(add, name="sub")])


def test_an_error_of_the_function_is_the_cause() -> None:
    def broken() -> None:
        raise LookupError("no such row")

    with pytest.raises(ToolExecutionError, match="LookupError: no such row") as caught:
        ToolCalls.ToolCall(name="broken", args={}).execute({"broken": broken})

    assert caught.value.tool == "broken"
    assert isinstance(caught.value.__cause__, LookupError)
    assert isinstance(caught.value, RuntimeError)


def test_wrong_arguments_are_told_from_a_broken_tool() -> None:
    with pytest.raises(ToolArgumentError, match="valid integer"):
        ToolCalls.ToolCall(name="add", args={"x": "one"}).execute([Tool(add)])


def test_results_go_with_their_calls() -> None:
    calls = ToolCalls.from_dict_list([{**ADD, "id": "1"}, ADD])

    results = ToolCallResults.from_tool_calls_and_values(
        calls.tool_calls, [1, "no"], is_errors=[False, True]
    )

    assert [
        (each.call_id, each.name, each.value, each.is_error)
        for each in results.tool_call_results
    ] == [("1", "add", 1, False), (None, "add", "no", True)]


@pytest.mark.parametrize(
    ("values", "is_errors"), [([], None), ([1], [True, False]), ([1, 2], None)]
)
def test_results_of_another_number_are_refused(
    values: list[Any], is_errors: list[bool] | None
) -> None:
    calls = ToolCalls.from_dict_list([ADD])

    with pytest.raises(ValueError, match="must have the same length"):
        ToolCallResults.from_tool_calls_and_values(calls, values, is_errors)


@pytest.mark.parametrize(
    "value",
    [
        {"name": "add", "value": 1},
        [{"name": "add", "value": 1}],
        {"tool_call_results": [{"name": "add", "value": 1}]},
    ],
)
def test_results_are_read_in_each_shape(value: Any) -> None:
    [result] = ToolCallResults.model_validate(value).tool_call_results

    assert (result.name, result.value, result.is_error) == ("add", 1, False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        (" \n", {}),
        ('{"x": 1}', {"x": 1}),
        ('{"x": [1, 2', {"x": [1, 2]}),
        ("{x: 'a'}", {"x": "a"}),
    ],
)
def test_arguments_are_read_from_text_and_mended(text: str, expected: Any) -> None:
    assert read_arguments(text) == expected


@given(st.text(max_size=40))
def test_no_text_of_arguments_breaks_the_reader(text: str) -> None:
    call = {"name": "add", "arguments": text}

    try:
        calls = ToolCalls.from_dict_list([call])
    except ValidationError:
        return

    assert isinstance(calls.tool_calls[0].args, dict)


def test_calls_may_stand_inside_of_other_models() -> None:
    class Plan(BaseModel):
        calls: ToolCalls

    plan = Plan.model_validate({"calls": [ADD]})

    assert plan.calls.tool_calls[0].name == "add"
    assert plan.model_dump() == {"calls": {"tool_calls": [ADD]}}


def test_the_description_is_an_example_that_can_be_read() -> None:
    example = ToolCalls.description().partition(" as in ")[2]

    assert ToolCalls.model_validate_json(example).format() == {"tool_calls": [ADD]}
