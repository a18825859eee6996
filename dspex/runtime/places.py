"""Where a model lives, and the branch of the tree that serves it."""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from dspex.client.http_exchange import HttpExchange
from dspex.client.keys import GetKey
from dspex.client.ledger import Ledger
from dspex.client.local.models import LocalModel, resolve_local
from dspex.client.local.settings import read_ready_line
from dspex.client.local.weights import Weights
from dspex.client.providers.abilities import LOCAL, Abilities, abilities_of
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.formats import for_embeddings
from dspex.client.providers.model_strings import LocalModel as FoundLocally
from dspex.client.providers.model_strings import resolve
from dspex.client.proxies import Proxies
from dspex.client.secrets import MASK, Secret
from dspex.core import defaults
from dspex.core.adapters.json_schema import Bounds
from dspex.core.errors import ConfigurationError, LMNotConfiguredError
from dspex.core.home import home
from dspex.runtime.runtime import Runtime
from dspex.runtime.tree import Branch, client_options
from supervisors import ProcessSpec

_SALT: Final = secrets.token_bytes(16)
"""Known to this process only."""
_NOWHERE = "http://127.0.0.1"
"""The address of a local server before it says where it listens."""


class Place(Protocol):
    """Where a model lives."""

    @property
    def provider(self) -> str:
        """Whose format is spoken there."""

    @property
    def format(self) -> str:
        """The wire format that is spoken there."""

    @property
    def identity(self) -> str:
        """What tells this place from others, for cache keys."""

    @property
    def model(self) -> str:
        """The model's name there."""

    @property
    def adapter(self) -> str | None:
        """The adapter the model wants."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings every call there should have, unless set otherwise."""

    @property
    def abilities(self) -> Abilities:
        """What can be asked of the model natively."""

    @property
    def schema_bounds(self) -> Bounds | None:
        """How long its answers by a schema may get; `None` where it must end them."""

    @property
    def missing(self) -> str | None:
        """Why it cannot be reached yet; `None` when it can."""

    @property
    def branch_id(self) -> str:
        """Names the branch of the tree that serves it."""

    def branch(self, runtime: Runtime) -> Branch:
        """Make that branch; called once for a runtime."""


class RemotePlace:
    """A model behind somebody's API.

    Args:
        endpoint: Where it is.
        max_in_flight: Requests out at a time.
        get_key: Returns the key, where it is not a fixed text.
        proxies: Of its own; the runtime's unless given.
        missing: The text of the error when its key is missing.
    """

    adapter: str | None = None
    settings: Mapping[str, Any] = {}
    schema_bounds: Bounds | None = None

    def __init__(
        self,
        endpoint: Endpoint,
        max_in_flight: int | None = None,
        get_key: GetKey | None = None,
        proxies: Proxies | None = None,
        missing: str | None = None,
    ) -> None:
        self.missing = missing
        self._endpoint = endpoint
        self._max_in_flight = max_in_flight
        self._get_key = get_key
        self._proxies = proxies
        self.provider = endpoint.provider
        self.format = endpoint.format
        version = endpoint.api_version
        self.identity = endpoint.base_url + (f" {version}" if version else "")
        self.model = endpoint.model
        self.abilities = abilities_of(endpoint.provider, endpoint.model)
        # One branch for each (provider, base URL, chat or vectors, key, proxy).
        mark = _mark(endpoint.api_key)
        if get_key is not None:
            # Two functions are two accounts, as far as anybody can tell.
            mark = f" key from {id(get_key):x}"
        kind = " vectors" if "embeddings" in endpoint.format else ""
        way = _way(proxies)
        self.branch_id = f"{self.provider} {self.identity}{kind}{mark}{way}"

    def for_vectors(self) -> RemotePlace:
        """Where the same provider is asked for vectors.

        Raises:
            ConfigurationError: It gives none.
        """
        beside = for_embeddings(self._endpoint)
        return RemotePlace(
            beside, self._max_in_flight, self._get_key, self._proxies, self.missing
        )

    def branch(self, runtime: Runtime) -> Branch:
        """A branch with a wire and a client.

        Raises:
            LMNotConfiguredError: Its key is missing.
            ConfigurationError: It has a proxy, and the runtime a transport of its own.
        """
        if self.missing is not None:
            raise LMNotConfiguredError(self.missing)
        make_transport = runtime.transport_through(self._proxies)
        get_key = self._get_key
        return Branch(
            id=self.branch_id,
            endpoint=self._endpoint,
            label=f"{self.provider} at {self.identity}",
            ledger=Ledger(client_options(runtime.config, self._max_in_flight)),
            make_exchange=lambda: HttpExchange(make_transport, get_key=get_key),
            max_in_flight=self._max_in_flight,
            has_fresh_keys=get_key is not None,
        )


class LocalPlace:
    """A model that a server of our own serves, on this machine."""

    provider = "local"
    format = "openai_chat"
    missing: str | None = None
    abilities = LOCAL

    def __init__(self, name: str) -> None:
        self._model = resolve_local(name)
        self.model = self._model.alias
        self.adapter: str | None = self._model.adapter
        text = defaults.LOCAL_TEXT
        if self._model.max_tokens is not None:
            # A base model that is not stopped fills its answer's last text.
            text = min(text, self._model.max_tokens)
        self.schema_bounds: Bounds | None = Bounds(
            text=text, items=defaults.LOCAL_ITEMS
        )
        self.settings: Mapping[str, Any] = {"temperature": 0.0}
        self.identity = _identity(self._model)

    @property
    def branch_id(self) -> str:
        """One branch for each model file."""
        return f"local {self.model} {_digest(self.identity)}"

    def branch(self, runtime: Runtime) -> Branch:
        """A branch with a model server besides.

        The weights are put together here, in the caller's thread, when they are not.
        """
        where = runtime.config.home or home()
        if not self._model.is_ready(where) and sys.stderr is not None:
            print(self._model.announce(where), file=sys.stderr)  # noqa: T201 - for people: it costs disk and time
        settings = self._model.prepare(where)
        make_transport = runtime.transport_through(None)
        key = Secret(secrets.token_hex(16))
        return Branch(
            id=self.branch_id,
            endpoint=Endpoint(
                provider=self.provider,
                base_url=_NOWHERE,
                model=self.model,
                api_key=key,
            ),
            label=f"local/{self.model}",
            ledger=Ledger(
                client_options(runtime.config, settings.slots), needs_server=True
            ),
            make_exchange=lambda: HttpExchange(make_transport),
            server=ProcessSpec(
                argv=settings.command(),
                ready=lambda line: read_ready_line(line.encode()),
                env=settings.environment(key.reveal(), os.environ),
                # Calls are parked until then, so the tree need not wait for it.
                started_when="running",
                ready_timeout=defaults.LOCAL_READY,
                watches_stdin=True,
                stdin_grace=5.0,
                term_grace=5.0,
            ),
            max_in_flight=settings.slots,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How a model is to be reached, as far as its user says so.

    Raises:
        ConfigurationError: `max_in_flight` is below 1.
    """

    api_base: str | None = None
    """The root of another API."""
    api_key: str | Callable[[], str] | None = field(default=None, repr=False)
    """The key, or a function that returns it."""
    api_version: str | None = None
    """Azure's version of its API."""
    allow_insecure: bool = False
    """Whether the key may go unencrypted to another machine."""
    max_in_flight: int | None = None
    """Requests out at a time."""
    proxy: str | None = field(default=None, repr=False)
    """The proxy of every request; empty for none, `None` for the runtime's own."""

    def __post_init__(self) -> None:
        if self.max_in_flight is not None and self.max_in_flight < 1:
            raise ConfigurationError(
                f"max_in_flight is {self.max_in_flight!r}; it counts requests out at a "
                "time. Pass 1 or more, or leave it out."
            )


def find_place(model: str, reach: Reach) -> Place:
    """Find where a model lives, by its model string and the environment.

    Raises:
        ConfigurationError: The string is none, or what it needs is missing.
    """
    key, get_key = _key_of(reach)
    found = resolve(
        model,
        api_base=reach.api_base,
        # Whether a key may be sent to that address is checked all the same.
        api_key=key if get_key is None else MASK,
        api_version=reach.api_version,
        allow_insecure=reach.allow_insecure,
        env=os.environ,
    )
    if isinstance(found, FoundLocally):
        if reach.proxy is not None:
            raise ConfigurationError(
                f"{model!r} was given a proxy; a local model is served on this machine"
                " and reached directly. Leave proxy= out."
            )
        return LocalPlace(found.name)
    if get_key is not None:
        found = replace(found, api_key=None)
    proxies = None if reach.proxy is None else Proxies.only(reach.proxy)
    return RemotePlace(found, reach.max_in_flight, get_key, proxies)


def promised_place(model: str, reach: Reach) -> Place:
    """The same, where the key may come later; `missing` says as long that it has not.

    A program may name its models before the keys are set, as with DSPy.

    Raises:
        ConfigurationError: The string is none, or more than a key is missing.
    """
    try:
        return find_place(model, reach)
    except LMNotConfiguredError as error:
        if reach.api_key is not None:
            raise  # it was given, and is empty
        found = resolve(
            model,
            api_base=reach.api_base,
            api_key=MASK,
            api_version=reach.api_version,
            allow_insecure=reach.allow_insecure,
            env=os.environ,
        )
        if isinstance(found, FoundLocally):
            raise  # a local model has no key to miss
        proxies = None if reach.proxy is None else Proxies.only(reach.proxy)
        return RemotePlace(
            found, reach.max_in_flight, proxies=proxies, missing=str(error)
        )


def _key_of(reach: Reach) -> tuple[str | None, GetKey | None]:
    key = reach.api_key
    return (None, key) if callable(key) else (key, None)


def _identity(model: LocalModel) -> str:
    """Tell a model's file from others, and from what it was before it was changed."""
    if isinstance(model.source, Weights):
        return model.source.sha256
    stat = model.source.stat()
    return f"{model.source} {stat.st_size} {stat.st_mtime_ns}"


def _mark(key: Secret | None) -> str:
    """Tell keys apart by what says nothing of them.

    A plain digest would: who sees the name of a branch could try keys against it, or
    look for one with the same digest and have calls made with somebody else's.
    """
    return "" if key is None else f" key {_salted(key.reveal())}"


def _salted(secret: str) -> str:
    return hashlib.blake2b(secret.encode(), key=_SALT, digest_size=8).hexdigest()


def _way(proxies: Proxies | None) -> str:
    if proxies is None:
        return ""
    # `Proxies.only` has one for both kinds of request.
    if not proxies.https:
        return " no proxy"
    return f" proxy {_salted(proxies.https)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
