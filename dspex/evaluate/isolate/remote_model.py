"""A language model of the parent, as a program in a child process holds it.

Each call is asked of the parent, whose model has the key, the cache, the limits and the
budgets, and who records the request. The child has none of these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dspex.core.errors import DataError
from dspex.core.lm import LanguageModel, Message, Reply
from dspex.core.outputs import outputs_of
from dspex.evaluate.isolate.nodes import Node, node_of, value_of
from dspex.programs.trace import record_usage
from dspex.runtime.turns import turns_of

ABILITIES = (
    "supports_response_schema",
    "supports_json_object",
    "supports_function_calling",
    "supports_reasoning",
    "schema_bounds",
)
"""What adapters ask of a model, by the names of its attributes."""


class Asks(Protocol):
    """Who takes a call to the parent."""

    def ask(self, line: dict[str, Any]) -> Reply:
        """Ask the parent, and wait for its model's reply.

        Raises:
            LMError: What the parent's model raised.
        """

    async def aask(self, line: dict[str, Any]) -> Reply:
        """The same for coroutines."""


def facts_of(model: LanguageModel) -> Node:
    """Return what a child needs to know of a model; no key, no address."""
    settings = getattr(model, "settings", None)
    facts = {
        "model": model.model,
        "adapter": model.adapter,
        "settings": _plain(dict(settings) if isinstance(settings, Mapping) else {}),
        "abilities": {name: getattr(model, name, None) for name in ABILITIES},
    }
    return node_of(facts, f"the model {model.model!r}")


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is no value: the parent's model has it in any case."""
    kept = {}
    for name, value in settings.items():
        try:
            node_of(value, name)
        except DataError:
            continue
        kept[name] = value
    return kept


@dataclass(slots=True, kw_only=True)
class RemoteModel:
    """Answers as the model of that number does in the parent."""

    number: int
    """Its number in the parcel."""
    model: str
    """The model string."""
    adapter: str | None
    """The adapter it wants."""
    settings: Mapping[str, Any]
    """Sent with each call; by the parent, which has them as well."""
    abilities: Mapping[str, Any] = field(repr=False)
    """What adapters ask of it."""
    asks: Asks = field(repr=False)
    """Who takes its calls."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """The settings of a copy that differ from the model's own."""

    @classmethod
    def of(cls, number: int, facts: Node, asks: Asks) -> RemoteModel:
        """Make it of what `facts_of` told."""
        told = value_of(facts, may_import=True)
        return cls(number=number, asks=asks, **told)

    def complete(
        self, messages: Sequence[Message], settings: Mapping[str, Any] | None = None
    ) -> Reply:
        """Answer a chat; see `LanguageModel.complete`."""
        return self.asks.ask(self._line(messages, settings or {}))

    async def acomplete(
        self, messages: Sequence[Message], settings: Mapping[str, Any] | None = None
    ) -> Reply:
        """The same for coroutines."""
        return await self.asks.aask(self._line(messages, settings or {}))

    def __call__(
        self,
        prompt: str | None = None,
        *,
        messages: Sequence[Mapping[str, Any]] | None = None,
        **settings: Any,
    ) -> list[Any]:
        """Answer a prompt or a chat; see `LM`."""
        return self._counted(self.complete(turns_of(prompt, messages), settings))

    async def acall(
        self,
        prompt: str | None = None,
        *,
        messages: Sequence[Mapping[str, Any]] | None = None,
        **settings: Any,
    ) -> list[Any]:
        """The same for coroutines."""
        return self._counted(await self.acomplete(turns_of(prompt, messages), settings))

    @property
    def kwargs(self) -> dict[str, Any]:
        """The settings sent with each call, by DSPy's name."""
        return dict(self.settings)

    def copy(self, **changes: Any) -> RemoteModel:
        """A copy with other settings; a setting given as `None` is taken out."""
        settings = {**self.settings, **changes}
        return RemoteModel(
            number=self.number,
            model=self.model,
            adapter=self.adapter,
            settings={k: v for k, v in settings.items() if v is not None},
            abilities=self.abilities,
            asks=self.asks,
            changes={**self.changes, **changes},
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> RemoteModel:
        """It is never changed, so copies of a program share it."""
        return self

    def dump_state(self) -> dict[str, Any]:
        """Model string and settings as JSON values."""
        return {"model": self.model, **self.settings}

    def __getattr__(self, name: str) -> Any:
        if name in ABILITIES:
            return self.abilities.get(name)
        raise AttributeError(name)

    def _counted(self, reply: Reply) -> list[Any]:
        record_usage(self.model, reply)
        outputs: list[Any] = outputs_of(reply)
        return outputs

    def _line(
        self, messages: Sequence[Message], settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {
            "model": self.number,
            "changes": node_of(dict(self.changes), "the settings"),
            "messages": node_of(list(messages), "the messages"),
            "settings": node_of(dict(settings), "the settings"),
        }


def answered(line: Mapping[str, Any], model_of: Callable[[int], Any]) -> Reply:
    """Ask a model what a child's line asks; runs in the parent.

    Raises:
        Exception: What the model raises.
    """
    model = model_of(line["model"])
    changes = value_of(line["changes"], may_import=False)
    if changes:
        model = model.copy(**changes)
    messages = value_of(line["messages"], may_import=False)
    settings = value_of(line["settings"], may_import=False)
    reply: Reply = model.complete(messages, settings)
    # Programs count what they ask for; this one counts in another process.
    record_usage(model.model, reply)
    return reply
