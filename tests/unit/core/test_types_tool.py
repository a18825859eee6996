"""Tools: what is read from a function, what a call checks, what surrounds it."""

from __future__ import annotations

import asyncio
import copy
import functools
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from dspex.core.errors import ToolArgumentError
from dspex.core.types._tool_shape import convert_input_schema_to_tool_args, inlined
from dspex.core.types.tool import Tool, _PlainRunner, use_tool_runner


class City(BaseModel):
    name: str
    zone: int = 1


@dataclass
class Point:
    x: int
    y: int


class Unit(Enum):
    KM = "km"


class Tree(BaseModel):
    children: list[Tree] = []


def weather(city: City, days: int, units: Literal["c", "f"] = "c") -> str:
    """Say what the weather is.

    Args:
        city: Where.
        days: How many.
    """
    return f"{city.name} {days} {units}"


async def wait_for(x: int) -> int:
    """Wait."""
    await asyncio.sleep(0)
    return x + 1


def test_a_function_tells_name_description_and_arguments() -> None:
    tool = Tool(weather)

    assert tool.name == "weather"
    assert tool.desc is not None
    assert tool.desc.startswith("Say what the weather is.\n\nArgs:\n    city")
    assert tool.args is not None
    assert list(tool.args) == ["city", "days", "units"]
    assert tool.args["city"]["properties"]["zone"]["default"] == 1
    assert tool.args["days"] == {"type": "integer"}
    assert tool.args["units"] == {"enum": ["c", "f"], "type": "string", "default": "c"}
    assert tool.arg_types == {"city": City, "days": int, "units": Literal["c", "f"]}
    assert tool.retry


def test_what_is_given_wins_over_what_the_function_tells() -> None:
    tool = Tool(
        weather,
        name="forecast",
        desc="Look ahead.",
        args={"days": {"type": "integer"}},
        arg_desc={"days": "How many.", "absent": "Ignored."},
        retry=False,
    )

    assert (tool.name, tool.desc) == ("forecast", "Look ahead.")
    assert tool.args == {"days": {"type": "integer", "description": "How many."}}
    assert tool.arg_types == {"days": int}
    assert not tool.retry


def test_schemas_that_are_given_are_not_changed() -> None:
    given_args = {"x": {"type": "string"}}

    Tool(lambda x: x, args=given_args, arg_desc={"x": "Any."})

    assert given_args == {"x": {"type": "string"}}


def test_types_come_from_schemas_where_the_function_has_no_hints() -> None:
    schemas = {
        "n": {"type": "integer"},
        "word": {"enum": ["a", "b"]},
        "mixed": {"enum": [["a"]]},
        "wide": {"anyOf": []},
        "many": {"type": ["string", "null"]},
    }

    tool = Tool(lambda n, word, mixed, wide, many: n, args=schemas)

    assert tool.arg_types == {
        "n": int,
        "word": Literal["a", "b"],
        "mixed": Any,
        "wide": Any,
        "many": Any,
    }


class Adder:
    """Made for adding."""

    def __call__(self, a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    def method(self, a: int) -> int:
        """Count on."""
        return a + 1


@pytest.mark.parametrize(
    ("function", "name", "arguments"),
    [
        (Adder().method, "method", ["a"]),
        (functools.partial(weather, days=2), "weather", ["city", "days", "units"]),
        (lambda a: a, "<lambda>", ["a"]),
        (City, "City", ["name", "zone"]),
        (len, "len", ["obj"]),
    ],
)
def test_whatever_can_be_called_can_be_a_tool(
    function: Any, name: str, arguments: list[str]
) -> None:
    tool = Tool(function)

    assert tool.name == name
    assert list(tool.args or {}) == arguments


def test_an_object_that_can_be_called_is_named_by_its_class() -> None:
    tool = Tool(Adder())

    assert tool.name == "Adder"
    assert tool(a=1, b=2) == 3


def test_what_cannot_be_called_is_no_tool() -> None:
    with pytest.raises(TypeError, match="is no function"):
        Tool("weather")  # type: ignore[arg-type] # what is tested


def test_defaults_become_json() -> None:
    def function(
        unit: Unit = Unit.KM,
        price: Decimal = Decimal("1.5"),
        key: Callable[[int], int] = abs,
        point: Point = Point(1, 2),  # noqa: B008 - a default that is no JSON
    ) -> None: ...

    args = Tool(function).args or {}

    assert args["unit"]["default"] == "km"
    assert args["price"]["default"] == 1.5
    assert args["key"]["default"] == repr(abs)
    assert args["point"]["default"] == {"x": 1, "y": 2}


def test_a_hint_nobody_can_resolve_leaves_the_arguments_known() -> None:
    def function(a: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821 - what is tested

    assert Tool(function).args == {"a": {}}


class Session:
    """A class that pydantic knows nothing of."""


def test_an_argument_of_any_class_is_taken_as_it_is() -> None:
    def function(session: Session) -> Any:
        return session

    tool = Tool(function)
    session = Session()

    assert tool.args == {"session": {}}
    assert tool(session=session) is session
    with pytest.raises(ToolArgumentError, match="instance of Session"):
        tool(session="a text")


def test_an_annotation_that_pydantic_cannot_read_is_refused() -> None:
    def function(a: Annotated[City | Tree, Field(discriminator="kind")]) -> None: ...

    with pytest.raises(TypeError, match=r"a tool's argument: .*discriminator"):
        Tool(function)


def test_a_class_of_the_enclosing_function_is_found() -> None:
    class Local(BaseModel):
        x: int

    def function(local: Local, others: list[Local] | None = None) -> Any:
        return local, others

    assert Tool(function)(local={"x": 1}, others=[{"x": 2}]) == (
        Local(x=1),
        [Local(x=2)],
    )


def test_a_class_of_the_tools_own_module_wins_over_one_nearby() -> None:
    own = weather.__globals__["City"]

    def nearby() -> Tool:
        class City:
            pass

        assert City is not own
        return Tool(weather)

    assert (nearby().arg_types or {})["city"] is own


def test_references_in_schemas_are_replaced_and_end() -> None:
    def function(tree: Tree, cities: list[City] | None = None) -> None: ...

    args = Tool(function).args or {}

    assert "$" not in str(args)
    assert args["tree"]["properties"]["children"]["items"] == {"type": "object"}
    assert args["cities"]["anyOf"][0]["items"]["properties"]["name"]["type"] == "string"


def test_a_property_that_is_called_like_a_keyword_is_kept() -> None:
    schema = {"properties": {"definitions": {"type": "string"}}, "$defs": {}}

    assert inlined(schema) == {"properties": {"definitions": {"type": "string"}}}


def test_openai_gets_a_function_with_its_required_arguments() -> None:
    call = Tool(weather).format_as_litellm_function_call()

    assert call["type"] == "function"
    assert call["function"]["name"] == "weather"
    assert call["function"]["parameters"]["required"] == ["city", "days"]
    assert call["function"]["parameters"]["type"] == "object"


def test_a_model_reads_a_tool_as_a_line() -> None:
    tool = Tool(lambda x: x, name="echo", desc="Say it\nagain.")

    assert tool.format() == str(tool)
    assert "\n" not in str(tool)
    assert str(tool).startswith(
        "echo, whose description is <desc>Say it  again.</desc>"
    )
    assert repr(tool).startswith("Tool(name=echo")
    assert "description" not in str(Tool(lambda x: x, name="echo"))


@pytest.mark.parametrize(
    "arguments",
    [
        {"city": {"name": "Rome"}, "days": 2},
        {"city": City(name="Rome"), "days": 2, "units": "c"},
        {"city": {"name": "Rome", "zone": "3"}, "days": "2"},
        {"city": {"name": "Rome"}, "days": 2.0},
    ],
)
def test_arguments_are_converted_to_the_functions_types(
    arguments: dict[str, Any],
) -> None:
    tool = Tool(weather)

    assert tool(**arguments) == "Rome 2 c"
    assert asyncio.run(tool.acall(**arguments)) == "Rome 2 c"


@pytest.mark.parametrize(
    ("arguments", "wrong", "said"),
    [
        ({"city": {"name": "Rome"}}, ("days",), "'days' is missing"),
        ({"days": 1, "city": {}}, ("city",), "'city.name' (Field required)"),
        ({"city": City(name="a"), "days": "many"}, ("days",), "valid integer"),
        ({"city": City(name="a"), "days": None}, ("days",), "valid integer"),
        ({"town": 1, "place": 2}, ("town", "place"), "no argument 'town', 'place'"),
        ({"city": City(name="a"), "days": 1, "units": "k"}, ("units",), "'c' or 'f'"),
    ],
)
def test_wrong_arguments_are_refused_before_the_function_runs(
    arguments: dict[str, Any], wrong: tuple[str, ...], said: str
) -> None:
    tool = Tool(weather)

    with pytest.raises(ToolArgumentError) as caught:
        tool(**arguments)
    with pytest.raises(ToolArgumentError):
        asyncio.run(tool.acall(**arguments))

    assert caught.value.tool == "weather"
    assert caught.value.arguments == wrong
    assert said in str(caught.value)
    assert "Its arguments are: city, days, units." in str(caught.value)


NAMES = st.sampled_from(["self", "city", "days", "cls"]) | st.text(max_size=8)


@given(st.dictionaries(NAMES, st.none() | st.integers() | st.text()))
def test_whatever_a_model_gives_is_taken_or_refused(arguments: dict[str, Any]) -> None:
    tool = Tool(weather)

    try:
        result = tool(**arguments)
    except ToolArgumentError as error:
        result = str(error)

    assert result


def test_more_arguments_reach_a_function_that_takes_them() -> None:
    def function(x: int, **more: Any) -> Any:
        return x, more

    tool = Tool(function)

    assert tool.has_kwargs
    assert list(tool.args or {}) == ["x"]
    assert tool(x=1, y=2) == (1, {"y": 2})


def test_arguments_may_be_called_like_the_tools_own() -> None:
    tool = Tool(lambda name, func, given: (name, func, given), name="odd")

    assert tool(name=1, func=2, given=3) == (1, 2, 3)


def test_nested_models_are_made() -> None:
    def function(rows: list[list[City]], at: Point) -> Any:
        return rows, at

    made = Tool(function)(rows=[[{"name": "a"}]], at={"x": 1, "y": 2})

    assert made == ([[City(name="a")]], Point(1, 2))


def test_the_functions_own_error_comes_as_it_is() -> None:
    def broken() -> None:
        raise KeyError("no such row")

    with pytest.raises(KeyError, match="no such row"):
        Tool(broken)()


def test_a_deep_copy_has_its_own_texts_and_the_same_function() -> None:
    class Connection:
        def __deepcopy__(self, memo: Any) -> Any:
            raise TypeError("a connection cannot be copied")

        def query(self, text: str) -> Any:
            return self, text

    connection = Connection()
    tool = Tool(connection.query)
    tool(text="a")

    twin = copy.deepcopy({"tool": tool})["tool"]
    (twin.args or {})["text"]["description"] = "Changed."

    assert twin(text="b") == (connection, "b")
    assert tool.args == {"text": {"type": "string"}}
    with pytest.raises(ToolArgumentError, match="'text' is missing"):
        twin()


def test_an_async_tool_is_awaited() -> None:
    assert asyncio.run(Tool(wait_for).acall(x=1)) == 2


@pytest.mark.parametrize("function", [wait_for, functools.partial(wait_for)])
def test_an_async_tool_is_not_called_like_a_plain_one(function: Any) -> None:
    tool = Tool(function)

    with pytest.raises(ValueError, match=r"acall.*allow_tool_async_sync_conversion"):
        tool(x=1)


class Recorder:
    """A runner that writes down what it surrounds."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def allows_async_in_sync(self) -> bool:
        return True

    def run(self, tool: Tool, given: Mapping[str, Any], call: Callable[[], Any]) -> Any:
        self.seen += [tool.name, dict(given)]
        return call()

    async def arun(
        self,
        tool: Tool,
        given: Mapping[str, Any],
        call: Callable[[], Awaitable[Any]],
    ) -> Any:
        self.seen += [tool.name, dict(given)]
        return await call()


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    plain, recorder = Tool.runner, Recorder()
    use_tool_runner(recorder)
    yield recorder
    use_tool_runner(plain)


def test_a_runner_surrounds_each_call(recorder: Recorder) -> None:
    tool = Tool(wait_for)

    assert asyncio.run(tool.acall(x=1)) == 2
    assert recorder.seen == ["wait_for", {"x": 1}]


def test_a_runner_may_allow_an_async_tool_to_be_called(recorder: Recorder) -> None:
    tool = Tool(wait_for)

    async def inside() -> Any:
        return tool(x=1)

    assert tool(x=1) == 2
    assert recorder.seen == ["wait_for", {"x": 1}]
    with pytest.raises(ValueError, match="an event loop runs here"):
        asyncio.run(inside())


def test_without_a_runner_a_tool_just_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tool, "runner", _PlainRunner())

    assert Tool(Adder())(a=1, b=2) == 3
    assert asyncio.run(Tool(wait_for).acall(x=1)) == 2
    with pytest.raises(ValueError, match="acall"):
        Tool(wait_for)(x=1)


class Later:
    """Something to await that is no coroutine."""

    def __await__(self) -> Generator[Any, Any, str]:
        yield from asyncio.sleep(0).__await__()
        return "now"


def test_whatever_can_be_awaited_is() -> None:
    tool = Tool(lambda: Later(), name="later")  # noqa: PLW0108 - a class would not do

    assert asyncio.run(tool.acall()) == "now"
    with pytest.raises(ValueError, match="acall"):
        tool()


def test_a_schema_becomes_what_a_tool_takes() -> None:
    schema = {
        "type": "object",
        "properties": {
            "bar": {"type": "string", "description": "The bar."},
            "baz": {"$ref": "#/$defs/Baz"},
            "qux": {"type": ["integer", "null"]},
        },
        "required": ["baz"],
        "$defs": {"Baz": {"type": "integer"}},
    }

    args, types, descriptions = convert_input_schema_to_tool_args(schema)

    assert args["baz"] == {"type": "integer"}
    assert types == {"bar": str, "baz": int, "qux": Any}
    assert descriptions["bar"] == "The bar."
    assert descriptions["baz"].endswith("(Required)")
    assert convert_input_schema_to_tool_args({"type": "object"}) == ({}, {}, {})
