"""From a model string such as `openai/gpt-4o-mini` to where that model is reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dspex.client.providers.endpoint import Endpoint
from dspex.client.secrets import Secret
from dspex.core.errors import ConfigurationError

LOCAL_PREFIX = "local"
"""The prefix of a model that dspex serves itself."""


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model that dspex serves itself."""

    name: str
    """The name of an embedded model, or the path of a `.gguf` file."""


@dataclass(frozen=True, slots=True)
class KnownProvider:
    """A provider that speaks OpenAI's chat format."""

    base_url: str
    """Its public address, or where its server listens unless told otherwise."""
    key_variable: str
    """The environment variable that holds its key."""
    needs_key: bool = True
    """Whether its own address refuses calls without a key."""


KNOWN_PROVIDERS: Mapping[str, KnownProvider] = {
    "openai": KnownProvider("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "openrouter": KnownProvider("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "groq": KnownProvider("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "together": KnownProvider("https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    "ollama": KnownProvider(
        "http://127.0.0.1:11434/v1", "OLLAMA_API_KEY", needs_key=False
    ),
    "vllm": KnownProvider("http://127.0.0.1:8000/v1", "VLLM_API_KEY", needs_key=False),
    "llamacpp": KnownProvider(
        "http://127.0.0.1:8080/v1", "LLAMA_API_KEY", needs_key=False
    ),
}
"""The providers a model string can name."""

_OTHER_NAMES = {
    "hosted_vllm": "vllm",
    "ollama_chat": "ollama",
    "together_ai": "together",
}


def resolve(
    model: str,
    *,
    api_base: str | None = None,
    api_key: str | None = None,
    api_version: str | None = None,
    env: Mapping[str, str],
) -> Endpoint | LocalModel:
    """Find out where a model is reached.

    A key from the environment goes only to the provider's own address. A server at an
    `api_base` gets the `api_key` that was passed, or none: an address must not be able
    to collect keys that were meant for somebody else.

    Args:
        model: `prefix/name`; what comes after the first slash is the provider's.
        api_base: An address to use instead of the provider's own.
        api_key: A key to use instead of the one in the environment.
        env: The environment.

    Raises:
        ConfigurationError: When the prefix is unknown, the name is missing, the address
            is wrong, or a key is needed and not there.

    Example:
        >>> resolve("local/gemma-3-270m", env={})
        LocalModel(name='gemma-3-270m')
        >>> resolve("ollama/qwen3", env={}).base_url
        'http://127.0.0.1:11434/v1'
    """
    prefix, name = _split(model)
    if prefix == LOCAL_PREFIX:
        return _local(name, api_base=api_base, api_key=api_key)
    known = KNOWN_PROVIDERS.get(_OTHER_NAMES.get(prefix, prefix))
    if known is None:
        raise ConfigurationError(
            f"{model!r} starts with the unknown prefix {prefix!r}; {_known_prefixes()}"
            f" {_any_server(name)}"
        )
    own_address = api_base is None or api_base.rstrip("/") == known.base_url
    key = api_key or (env.get(known.key_variable) if own_address else None)
    if own_address and known.needs_key and not key:
        raise ConfigurationError(
            f"there is no API key for {model!r}; it is read from the environment"
            f" variable {known.key_variable}. Set it, or pass api_key=."
        )
    return Endpoint(
        provider=_OTHER_NAMES.get(prefix, prefix),
        base_url=api_base or known.base_url,
        model=name,
        api_key=Secret(key) if key else None,
    )


def _split(model: str) -> tuple[str, str]:
    prefix, slash, name = model.partition("/")
    if not slash or not name:
        raise ConfigurationError(
            f"{model!r} names no model; expected PREFIX/NAME, such as"
            f" 'openai/gpt-4o-mini'; {_known_prefixes()} {_any_server(name or prefix)}"
        )
    return prefix, name


def _local(name: str, *, api_base: str | None, api_key: str | None) -> LocalModel:
    if api_base is not None or api_key is not None:
        raise ConfigurationError(
            f"'local/{name}' was given an api_base or an api_key; a local model is"
            f" served by dspex itself and has neither. {_any_server('NAME')}"
        )
    return LocalModel(name)


def _known_prefixes() -> str:
    return (
        "the known prefixes are: " + ", ".join([LOCAL_PREFIX, *KNOWN_PROVIDERS]) + "."
    )


def _any_server(name: str) -> str:
    return (
        "For any other server that speaks OpenAI's chat format:"
        f' dspex.LM("openai/{name}", api_base="http://host:port/v1").'
    )
