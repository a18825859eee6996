"""Tools of an MCP server and of LangChain, as what `Tool(...)` takes.

Neither package is imported: their objects are read by the names they document, of which
MCP's changed once (`inputSchema` became `input_schema`).
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

from dspex.core.errors import ToolExecutionError
from dspex.core.types._tool_shape import convert_input_schema_to_tool_args

ResultMode = Literal["text", "structured"]
"""What of an MCP result a tool returns."""


class MCPSession(Protocol):
    """What an MCP client or session must be able to do."""

    async def call_tool(
        self, name: str, arguments: dict[str, Any] | None = None
    ) -> Any:
        """Call one of the server's tools."""


def mcp_tool_parts(
    session: MCPSession, tool: Any, result_mode: ResultMode
) -> dict[str, Any]:
    """Return the arguments of `Tool(...)` for a tool of an MCP server.

    Args:
        session: Who calls it.
        tool: What the server lists.
        result_mode: "structured" returns the structured content where there is some.
    """
    if result_mode not in {"text", "structured"}:
        message = f"{result_mode!r} is no result mode; use 'text' or 'structured'."
        raise ValueError(message)

    async def call(**arguments: Any) -> Any:
        result = await session.call_tool(tool.name, arguments=arguments)
        return _mcp_result(str(tool.name), result, result_mode)

    schema = _either(tool, "input_schema", "inputSchema") or {}
    return {
        "func": call,
        "name": tool.name,
        "desc": tool.description,
        **_arguments(schema),
    }


def langchain_tool_parts(tool: Any) -> dict[str, Any]:
    """Return the arguments of `Tool(...)` for a tool of LangChain."""

    async def call(**arguments: Any) -> Any:
        try:
            return await tool.ainvoke(arguments)
        except Exception as error:
            raise ToolExecutionError(
                f"the LangChain tool {tool.name!r} raised {type(error).__name__}: "
                f"{error}. Mend the tool, or give the model that text.",
                tool=str(tool.name),
            ) from error

    model = tool.args_schema
    types = {
        name: Any if field.annotation is None else field.annotation
        for name, field in model.model_fields.items()
    }
    arguments = _arguments(model.model_json_schema())
    return {
        "func": call,
        "name": tool.name,
        "desc": tool.description,
        **arguments,
        "arg_types": types,
    }


def _arguments(schema: Any) -> dict[str, Any]:
    args, types, descriptions = convert_input_schema_to_tool_args(schema)
    return {"args": args, "arg_types": types, "arg_desc": descriptions}


def _mcp_result(name: str, result: Any, result_mode: ResultMode) -> Any:
    texts = [each.text for each in result.content if each.type == "text"]
    others = [each for each in result.content if each.type != "text"]
    text = texts[0] if len(texts) == 1 else texts
    if _either(result, "is_error", "isError"):
        raise ToolExecutionError(
            f"the MCP tool {name!r} reported an error: {text}. Give the model that "
            "text, or look at the server.",
            tool=name,
        )
    structured = _either(result, "structured_content", "structuredContent")
    if result_mode == "structured" and structured is not None:
        return structured
    return text or others


def _either(owner: Any, name: str, old_name: str) -> Any:
    return getattr(owner, name, getattr(owner, old_name, None))
