"""`Tool`: a function that a model may ask for."""

from __future__ import annotations

import asyncio
import copy
import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from typing import Any, ClassVar, Protocol

from pydantic import ConfigDict, PrivateAttr, TypeAdapter, ValidationError

from dspex.core.errors import ToolArgumentError
from dspex.core.foreign import refuse_dspy
from dspex.core.types._foreign_tools import (
    MCPSession,
    ResultMode,
    langchain_tool_parts,
    mcp_tool_parts,
)
from dspex.core.types._tool_shape import (
    ToolShape,
    checker_of,
    shape_of,
    type_of_schema,
)
from dspex.core.types.base import Type


class ToolRunner(Protocol):
    """What surrounds each call of a tool: callbacks, and the setting for async tools.

    The layer of programs supplies one with `use_tool_runner`; without it a tool's
    function is just called.
    """

    def allows_async_in_sync(self) -> bool:
        """Say whether an async tool may be called like a plain function."""

    def run(self, tool: Tool, given: Mapping[str, Any], call: Callable[[], Any]) -> Any:
        """Return what `call()` returns."""

    async def arun(
        self,
        tool: Tool,
        given: Mapping[str, Any],
        call: Callable[[], Awaitable[Any]],
    ) -> Any:
        """Return what awaiting `call()` returns."""


class _PlainRunner:
    """Calls, and does nothing else."""

    def allows_async_in_sync(self) -> bool:
        return False

    def run(self, _tool: Tool, _given: Mapping[str, Any], call: Any) -> Any:
        return call()

    async def arun(self, _tool: Tool, _given: Mapping[str, Any], call: Any) -> Any:
        return await call()


class Tool(Type):
    """A function that a model may ask for, with what the model must know of it.

    Name, description, arguments and their types are read from the function; what is
    given here wins. Arguments are checked and converted before the function sees them:
    a mapping becomes the pydantic model that the function wants.

    Example:
        >>> def add(x: int, y: int = 0) -> int:
        ...     "Add two integers."
        ...     return x + y
        >>> tool = Tool(add)
        >>> tool.args
        {'x': {'type': 'integer'}, 'y': {'type': 'integer', 'default': 0}}
        >>> tool(x=1, y=2)
        3
    """

    model_config = ConfigDict(ignored_types=(cached_property,))

    callback_kind: ClassVar[str] = "tool"
    runner: ClassVar[ToolRunner] = _PlainRunner()
    """What surrounds each call; set it with `use_tool_runner`."""

    func: Callable[..., Any]
    """The function, plain or async, or an object that can be called."""
    name: str | None = None
    """What the model calls it."""
    desc: str | None = None
    """What it does, for the model."""
    args: dict[str, Any] | None = None
    """For each argument its JSON schema."""
    arg_types: dict[str, Any] | None = None
    """For each argument the type that values are converted to."""
    arg_desc: dict[str, str] | None = None
    """For each argument what it means, for the model."""
    has_kwargs: bool = False
    """Whether the function takes arguments that `args` does not name."""
    retry: bool = True
    """Whether it may be run again for the same step; `False` for what cannot be undone,
    such as sending a mail."""
    _required: tuple[str, ...] = PrivateAttr(default=())
    """Arguments without a default."""

    def __init__(
        self,
        func: Callable[..., Any],
        name: str | None = None,
        desc: str | None = None,
        args: dict[str, Any] | None = None,
        arg_types: dict[str, Any] | None = None,
        arg_desc: dict[str, str] | None = None,
        *,
        retry: bool = True,
    ) -> None:
        """Make a tool of a function.

        Args:
            func: The function.
            name: Its name for the model; the function's own when left out.
            desc: What it does; the docstring when left out.
            args: JSON schemas by argument; made of the type hints when left out.
            arg_types: Types by argument; the type hints when left out, or what `args`
                says when that is given.
            arg_desc: What the arguments mean, added to their schemas.
            retry: Whether it may be run again for the same step.

        Raises:
            TypeError: When it cannot be called.
            ConfigurationError: When it is a tool or a program of DSPy.
        """
        refuse_dspy(func, "a tool")
        shape = shape_of(func)
        fields: dict[str, Any] = {
            "func": func,
            "name": name or shape.name,
            "desc": desc or shape.description,
            "args": _described(shape.schemas if args is None else args, arg_desc or {}),
            "arg_types": _types(shape, args) if arg_types is None else arg_types,
            "arg_desc": arg_desc,
            "has_kwargs": shape.takes_more,
            "retry": retry,
        }
        super().__init__(**fields)
        known = fields["args"]
        self._required = tuple(name for name in shape.required if name in known)

    @classmethod
    def from_mcp_tool(
        cls, session: MCPSession, tool: Any, *, result_mode: ResultMode = "text"
    ) -> Tool:
        """Make an async tool of one that an MCP server lists.

        Args:
            session: The MCP client or session that calls it.
            tool: The server's description of it.
            result_mode: "text" returns the text of the result, a list of texts, or
                what else it holds; "structured" its structured content where it has
                some.
        """
        return cls(**mcp_tool_parts(session, tool, result_mode))

    @classmethod
    def from_langchain(cls, tool: Any) -> Tool:
        """Make an async tool of one of LangChain's."""
        return cls(**langchain_tool_parts(tool))

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Tool:
        """Copy the tool, and share its function with the copy.

        What the function holds (a connection, a counter) is one thing in the world,
        however often the program that uses it is copied.
        """
        return self.model_copy(update={"args": copy.deepcopy(self.args, memo)})

    def format(self) -> str:
        """Return the tool as a line of text."""
        return str(self)

    def format_as_litellm_function_call(self) -> dict[str, Any]:
        """Return the tool as OpenAI's `tools` setting has it."""
        args = self.args or {}
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.desc,
                "parameters": {
                    "type": "object",
                    "properties": args,
                    "required": [
                        name for name, schema in args.items() if "default" not in schema
                    ],
                },
            },
        }

    def __call__(self, /, **given: Any) -> Any:
        """Check the arguments and call the function.

        Raises:
            ToolArgumentError: When an argument is unknown, missing or of a wrong type.
            ValueError: When the function is async and no setting allows to wait for it
                here.
        """
        return self.runner.run(self, given, lambda: self._called(given))

    async def acall(self, /, **given: Any) -> Any:
        """Check the arguments, call the function, and await what it returns.

        A plain function is called in place, so it holds up the event loop.

        Raises:
            ToolArgumentError: When an argument is unknown, missing or of a wrong type.
        """
        return await self.runner.arun(self, given, lambda: self._awaited(given))

    def checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return arguments as the function takes them.

        Raises:
            ToolArgumentError: When an argument is unknown, missing or of a wrong type.
        """
        known = self.args or {}
        unknown = tuple(name for name in given if name not in known)
        if unknown and not self.has_kwargs:
            raise self._refusal(unknown, f"no argument {', '.join(map(repr, unknown))}")
        missing = tuple(name for name in self._required if name not in given)
        if missing:
            raise self._refusal(missing, f"{', '.join(map(repr, missing))} is missing")
        return {name: self._converted(name, value) for name, value in given.items()}

    def _called(self, given: Mapping[str, Any]) -> Any:
        result = self.func(**self.checked(given))
        return self._waited_for(result) if inspect.isawaitable(result) else result

    async def _awaited(self, given: Mapping[str, Any]) -> Any:
        result = self.func(**self.checked(given))
        return await result if inspect.isawaitable(result) else result

    def _waited_for(self, result: Awaitable[Any]) -> Any:
        allowed = self.runner.allows_async_in_sync()
        if allowed and not _loop_is_running():
            return asyncio.run(_result_of(result))
        if inspect.iscoroutine(result):
            result.close()
        why = "an event loop runs here" if allowed else "it was called like a plain one"
        message = (
            f"the tool {self.name!r} is an async function, and {why}. Await "
            "tool.acall(...), or outside of a loop allow it with "
            "dspex.configure(allow_tool_async_sync_conversion=True)."
        )
        raise ValueError(message)

    @cached_property
    def _checkers(self) -> dict[str, TypeAdapter[Any]]:
        types = self.arg_types or {}
        return {
            name: checker_of(annotation)
            for name, annotation in types.items()
            if annotation is not Any
        }

    def _converted(self, name: str, value: Any) -> Any:
        checker = self._checkers.get(name)
        if checker is None:
            return value
        try:
            return checker.validate_python(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            where = ".".join(str(step) for step in (name, *first["loc"]))
            raise self._refusal(
                (name,), f"a wrong value for {where!r} ({first['msg']})"
            ) from None

    def _refusal(self, arguments: tuple[str, ...], what: str) -> ToolArgumentError:
        known = ", ".join(self.args or {}) or "none"
        return ToolArgumentError(
            f"the tool {self.name!r} was called with wrong arguments: {what}. Its "
            f"arguments are: {known}. Call it with those, each of the type in "
            "tool.args.",
            tool=str(self.name),
            arguments=arguments,
        )

    def __repr__(self) -> str:
        return f"Tool(name={self.name}, desc={self.desc}, args={self.args})"

    def __str__(self) -> str:
        said = self.desc.replace("\n", "  ") if self.desc else ""
        described = f", whose description is <desc>{said}</desc>." if said else "."
        return f"{self.name}{described} It takes arguments {self.args}."


def use_tool_runner(runner: ToolRunner) -> None:
    """Let a runner surround every call of a tool from now on."""
    Tool.runner = runner


def _described(
    schemas: Mapping[str, Any], descriptions: Mapping[str, str]
) -> dict[str, Any]:
    return {
        name: {**schema, "description": descriptions[name]}
        if name in descriptions
        else schema
        for name, schema in schemas.items()
    }


def _types(shape: ToolShape, args: Mapping[str, Any] | None) -> dict[str, Any]:
    if args is None:
        return shape.types
    told = {name: type_of_schema(schema) for name, schema in args.items()}
    # The function's own hints say more than a schema does.
    return {
        name: shape.types.get(name, Any)
        if shape.types.get(name, Any) is not Any
        else annotation
        for name, annotation in told.items()
    }


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _result_of(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
