"""Tools of MCP servers and of LangChain, by the shapes those packages document."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel, Field

from dspex.core.errors import ToolArgumentError, ToolExecutionError
from dspex.core.types.tool import Tool

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "Where."},
        "days": {"type": "integer", "default": 1},
    },
    "required": ["city"],
}


def text(words: str) -> SimpleNamespace:
    return SimpleNamespace(type="text", text=words)


PICTURE = SimpleNamespace(type="image", data="AAAA")


class Session:
    """An MCP session that answers one result, and keeps what it was asked."""

    def __init__(self, *content: Any, **result: Any) -> None:
        self.result = SimpleNamespace(content=list(content), **result)
        self.calls: list[Any] = []

    async def call_tool(
        self, name: str, arguments: dict[str, Any] | None = None
    ) -> Any:
        self.calls.append((name, arguments))
        return self.result


def listed(**fields: Any) -> SimpleNamespace:
    return SimpleNamespace(name="weather", description="Look it up.", **fields)


@pytest.mark.parametrize("key", ["input_schema", "inputSchema"])
def test_an_mcp_tool_is_called_through_its_session(key: str) -> None:
    session = Session(text("Sunny"), isError=False)

    tool = Tool.from_mcp_tool(session, listed(**{key: SCHEMA}))

    assert (tool.name, tool.desc) == ("weather", "Look it up.")
    assert tool.args is not None
    assert tool.args["city"] == {"type": "string", "description": "Where. (Required)"}
    assert asyncio.run(tool.acall(city="Rome")) == "Sunny"
    assert session.calls == [("weather", {"city": "Rome"})]
    with pytest.raises(ToolArgumentError, match="valid string"):
        asyncio.run(tool.acall(city=3))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([text("a")], "a"),
        ([text("a"), text("b")], ["a", "b"]),
        ([PICTURE], [PICTURE]),
        ([text("a"), PICTURE], "a"),
        ([], []),
    ],
)
def test_an_mcp_result_is_its_text_or_what_else_it_holds(
    content: list[Any], expected: Any
) -> None:
    tool = Tool.from_mcp_tool(Session(*content), listed())

    assert asyncio.run(tool.acall()) == expected


@pytest.mark.parametrize("key", ["structured_content", "structuredContent"])
def test_structured_content_is_returned_when_asked_for(key: str) -> None:
    session: Any = Session(text("a"), **{key: {"x": 1}})

    plain = Tool.from_mcp_tool(session, listed())
    structured = Tool.from_mcp_tool(session, listed(), result_mode="structured")
    without = Tool.from_mcp_tool(Session(text("a")), listed(), result_mode="structured")

    assert asyncio.run(plain.acall()) == "a"
    assert asyncio.run(structured.acall()) == {"x": 1}
    assert asyncio.run(without.acall()) == "a"


def test_an_unknown_result_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="use 'text' or 'structured'"):
        Tool.from_mcp_tool(Session(), listed(), result_mode="json")  # type: ignore[arg-type] # what is tested


def test_an_error_of_an_mcp_tool_is_raised() -> None:
    tool = Tool.from_mcp_tool(Session(text("no such city"), is_error=True), listed())

    with pytest.raises(ToolExecutionError, match="no such city") as caught:
        asyncio.run(tool.acall())

    assert caught.value.tool == "weather"


class Weather(BaseModel):
    """The arguments of a LangChain tool."""

    city: str = Field(description="Where.")
    days: int = 1


class LangChainTool:
    """What dspex needs of LangChain's `BaseTool`."""

    name = "weather"
    description = "Look it up."
    args_schema = Weather

    async def ainvoke(self, arguments: dict[str, Any]) -> Any:
        if arguments["city"] == "Atlantis":
            raise LookupError("no such city")
        return arguments


def test_a_langchain_tool_is_invoked_with_typed_arguments() -> None:
    tool = Tool.from_langchain(LangChainTool())

    assert tool.arg_types == {"city": str, "days": int}
    assert asyncio.run(tool.acall(city="Rome", days="2")) == {"city": "Rome", "days": 2}


def test_an_error_of_a_langchain_tool_is_the_cause() -> None:
    tool = Tool.from_langchain(LangChainTool())

    with pytest.raises(ToolExecutionError, match="no such city") as caught:
        asyncio.run(tool.acall(city="Atlantis"))

    assert isinstance(caught.value.__cause__, LookupError)
