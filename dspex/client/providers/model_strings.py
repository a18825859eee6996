"""From a model string such as `openai/gpt-4o-mini` to where that model is reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dspex.client.providers.endpoint import Endpoint
from dspex.client.secrets import Secret
from dspex.core.errors import ConfigurationError, LMNotConfiguredError

LOCAL_PREFIX = "local"
"""The prefix of a model that dspex serves itself."""


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model that dspex serves itself."""

    name: str
    """The name of an embedded model, or the path of a `.gguf` file."""


@dataclass(frozen=True, slots=True)
class KnownProvider:
    """A provider a model string can name."""

    base_url: str | None
    """Its public address, or where its server listens unless told otherwise. `None`
    when each customer has an address of their own, which `base_variable` names."""
    key_variable: str
    """The environment variable that holds its key."""
    needs_key: bool = True
    """Whether its own address refuses calls without a key."""
    format: str = "openai_chat"
    """The wire format it speaks; a key of `formats.FORMATS`."""
    base_variable: str | None = None
    """The environment variable that holds a customer's own address."""
    version_variable: str | None = None
    """The environment variable that holds the version of its API, if it wants one."""


def _own_server(port: int, key_variable: str) -> KnownProvider:
    """A server people run themselves, where it listens when nothing else is said."""
    return KnownProvider(f"http://127.0.0.1:{port}/v1", key_variable, needs_key=False)


KNOWN_PROVIDERS: Mapping[str, KnownProvider] = {
    "openai": KnownProvider("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "anthropic": KnownProvider(
        "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", format="anthropic_messages"
    ),
    "gemini": KnownProvider(
        "https://generativelanguage.googleapis.com/v1beta",
        "GEMINI_API_KEY",
        format="gemini",
    ),
    "azure": KnownProvider(
        None,
        "AZURE_API_KEY",
        format="azure_chat",
        base_variable="AZURE_API_BASE",
        version_variable="AZURE_API_VERSION",
    ),
    "openrouter": KnownProvider("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "groq": KnownProvider("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "together": KnownProvider("https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    "fireworks": KnownProvider(
        "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"
    ),
    "deepinfra": KnownProvider(
        "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY"
    ),
    "cerebras": KnownProvider("https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    "deepseek": KnownProvider("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    "mistral": KnownProvider("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "xai": KnownProvider("https://api.x.ai/v1", "XAI_API_KEY"),
    "ollama": _own_server(11434, "OLLAMA_API_KEY"),
    "vllm": _own_server(8000, "VLLM_API_KEY"),
    "sglang": _own_server(30000, "SGLANG_API_KEY"),
    "llamacpp": _own_server(8080, "LLAMA_API_KEY"),
    "lm_studio": _own_server(1234, "LM_STUDIO_API_KEY"),
}
"""The providers a model string can name. Amazon's Bedrock and Google's Vertex are not
among them: both want signed requests or short-lived tokens instead of a key."""

_OTHER_NAMES = {
    "fireworks_ai": "fireworks",
    "hosted_vllm": "vllm",
    "ollama_chat": "ollama",
    "together_ai": "together",
}
_ABSENT = {
    "bedrock": "signs each request with Amazon's keys",
    "vertex_ai": "wants short-lived tokens of a Google account",
}
"""Prefixes that DSPy's users know and that mean nothing here, and why."""


def resolve(
    model: str,
    *,
    api_base: str | None = None,
    api_key: str | None = None,
    api_version: str | None = None,
    allow_insecure: bool = False,
    env: Mapping[str, str],
) -> Endpoint | LocalModel:
    """Find out where a model is reached.

    A key from the environment goes only to the provider's own address. A server at an
    `api_base` gets the `api_key` that was passed, or none: an address must not be able
    to collect keys that were meant for somebody else. Azure's own address is the one in
    `AZURE_API_BASE`.

    Args:
        model: `prefix/name`; what comes after the first slash is the provider's.
        api_base: An address to use instead of the provider's own.
        api_key: A key to use instead of the one in the environment.
        api_version: Azure's version of its API, instead of the one in the environment.
        allow_insecure: Whether the key may go unencrypted to another machine.
        env: The environment.

    Raises:
        ConfigurationError: When the prefix is unknown, the name is missing, the address
            is wrong, or a key, an address or a version is needed and not there.

    Example:
        >>> resolve("local/gemma-3-270m", env={})
        LocalModel(name='gemma-3-270m')
        >>> resolve("ollama/qwen3", env={}).base_url
        'http://127.0.0.1:11434/v1'
    """
    prefix, name = _split(model)
    if prefix == LOCAL_PREFIX:
        return _local(name, api_base=api_base, api_key=api_key)
    provider = _OTHER_NAMES.get(prefix, prefix)
    known = KNOWN_PROVIDERS.get(provider)
    if known is None:
        raise ConfigurationError(_unknown(model, prefix, name))
    if api_version is not None and known.version_variable is None:
        raise ConfigurationError(
            f"{model!r} was given the api_version {api_version!r}; only Azure's API has"
            " one. Leave it out."
        )
    own_base = known.base_url or _read(env, known.base_variable)
    base = api_base or own_base
    if not base:
        raise ConfigurationError(
            f"there is no address for {model!r}; it is read from the environment"
            f" variable {known.base_variable}. Set it, or pass api_base=."
        )
    is_own = _same_address(base, own_base)
    key = api_key or (_read(env, known.key_variable) if is_own else None)
    if known.needs_key and not key and (is_own or known.base_url is None):
        raise LMNotConfiguredError(_no_key(model, known))
    version = api_version or _read(env, known.version_variable)
    return Endpoint(
        provider=provider,
        base_url=base,
        model=name,
        api_key=Secret(key) if key else None,
        format=known.format,
        api_version=version,
        allow_insecure=allow_insecure,
    )


def is_known_prefix(prefix: str) -> bool:
    """Whether a model string may begin with it."""
    names = {LOCAL_PREFIX, *KNOWN_PROVIDERS, *_OTHER_NAMES}
    return prefix in names


def _same_address(base: str, own: str | None) -> bool:
    return own is not None and base.strip().rstrip("/") == own.strip().rstrip("/")


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


def _unknown(model: str, prefix: str, name: str) -> str:
    problem = f"{model!r} starts with the unknown prefix {prefix!r}"
    if prefix in _ABSENT:
        problem = f"{model!r} is not reached by dspex: {prefix!r} {_ABSENT[prefix]}"
    return f"{problem}; {_known_prefixes()} {_any_server(name)}"


def _read(env: Mapping[str, str], variable: str | None) -> str | None:
    return None if variable is None else env.get(variable)


def _no_key(model: str, known: KnownProvider) -> str:
    only = f", for the address in {known.base_variable}" if known.base_variable else ""
    return (
        f"there is no API key for {model!r}; it is read from the environment variable"
        f" {known.key_variable}{only}. Set it, or pass api_key=."
    )


def _known_prefixes() -> str:
    return (
        "the known prefixes are: " + ", ".join([LOCAL_PREFIX, *KNOWN_PROVIDERS]) + "."
    )


def _any_server(name: str) -> str:
    return (
        "For any other server that speaks OpenAI's chat format:"
        f' dspex.LM("openai/{name}", api_base="http://host:port/v1").'
    )
