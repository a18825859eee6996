"""The branch of the tree in which code of the user's own answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from dspex.client.home_made import HomeMade
from dspex.client.ledger import Ledger
from dspex.client.providers.abilities import NOTHING, Abilities
from dspex.client.providers.endpoint import Endpoint
from dspex.core.adapters.json_schema import Bounds
from dspex.core.errors import ConfigurationError
from dspex.core.lm import Reply, Request
from dspex.runtime.places import Reach
from dspex.runtime.runtime import Runtime
from dspex.runtime.tree import Branch, client_options

PROVIDER = "home-made"
"""Who answers, for models whose name does not begin with a provider's."""
_NOWHERE = "http://127.0.0.1"
"""An address for the branch's endpoint, which nobody calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeMadePlace:
    """A model, or a function that embeds, in the user's own code."""

    label: str
    """The model as the user named it, with or without a provider's prefix."""
    answer: Callable[[Request], Reply | Awaitable[Reply]] = field(repr=False)
    """Answers a request; blocking code, or code that returns an awaitable."""
    is_async: bool
    """Whether it returns an awaitable."""
    describe: Callable[[], Mapping[str, Any]] = field(repr=False)
    """Tells what can change its answers, as JSON values; asked at each call."""
    kind: str
    """The code that answers, by its qualified name."""
    code: str
    """A digest of that code, from `digest_of_code`."""
    most: int
    """Requests at a time."""
    format: str = "openai_chat"
    """What is asked of it: a chat, or "embeddings"."""
    adapter: str | None = None
    """The adapter it wants."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings every call has; none."""
    abilities: Abilities = NOTHING
    """What can be asked of it natively; who writes the model knows better."""
    schema_bounds: Bounds | None = None
    """How long its answers by a schema may get."""
    missing: str | None = None
    """Why it cannot be reached; it always can."""

    @property
    def provider(self) -> str:
        """The prefix of its name, whose prices count."""
        prefix, slash, _ = self.label.partition("/")
        return prefix if slash else PROVIDER

    @property
    def model(self) -> str:
        """The rest of its name."""
        _, slash, name = self.label.partition("/")
        return name if slash else self.label

    @property
    def identity(self) -> str:
        """The code and what can change its answers, for cache keys.

        Raises:
            ConfigurationError: `describe` told of what is no JSON value.
        """
        described = dict(self.describe())
        try:
            state = json.dumps(described, sort_keys=True, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(
                f"dump_state() of {self.kind} is not JSON: {error}; it tells the cache "
                "what can change an answer. Return texts, numbers, lists and dicts, "
                "or pass cache=False."
            ) from error
        return f"{self.kind} {self.code} {state}"

    @property
    def branch_id(self) -> str:
        """One branch for each object: two may hold what no state tells."""
        return f"{PROVIDER} {self.label} {id(self.answer):x}"

    def branch(self, runtime: Runtime) -> Branch:
        """A branch whose wire has the code work."""
        return Branch(
            id=self.branch_id,
            endpoint=Endpoint(
                provider=self.provider,
                base_url=_NOWHERE,
                model=self.model,
                format=self.format,
            ),
            label=self.label,
            ledger=Ledger(client_options(runtime.config, self.most)),
            make_exchange=lambda: HomeMade(self, most_threads=self.most),
            max_in_flight=self.most,
        )


def unreachable(label: str, why: str) -> HomeMadePlace:
    """A model whose name leads nowhere, for a class that answers before it is asked.

    Args:
        label: The name.
        why: The text of the error when it is asked all the same.
    """

    def refuse(_: Request) -> Reply:
        raise ConfigurationError(why)

    return HomeMadePlace(
        label=label,
        answer=refuse,
        is_async=False,
        describe=dict,
        kind="nowhere",
        code="",
        most=1,
    )


def digest_of_code(function: Callable[..., Any]) -> str:
    """Tell a function from what it was before somebody changed it.

    What it calls is not looked at. Empty for what is not written in Python.
    """
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        return ""
    return hashlib.sha256("\n".join(_parts(code)).encode()).hexdigest()[:16]


def _parts(code: CodeType) -> Iterator[str]:
    """What a compiled function does, without where it stands."""
    yield code.co_code.hex()
    yield repr(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _parts(constant)
        elif isinstance(constant, frozenset):
            yield repr(sorted(map(repr, constant)))
        else:
            yield repr(constant)


def settings_of(request: Request) -> dict[str, Any]:
    """The settings that are passed on to the user's code."""
    # As in DSPy, a rollout's number tells calls apart for the cache, and no more.
    return {key: v for key, v in request.settings.items() if key != "rollout_id"}


def refuse_address(reach: Reach, what: str) -> None:
    """Refuse what only a provider has.

    Raises:
        ConfigurationError: An address, a key, a version or a proxy was given.
    """
    given = (reach.api_base, reach.api_key, reach.api_version, reach.proxy)
    if any(one is not None for one in given):
        raise ConfigurationError(
            f"{what} was given an address, a key or a proxy; code of your own has none "
            "of them. Keep them in that code."
        )
