from typing import Any

import pytest

from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.formats import FORMATS
from dspex.client.providers.model_strings import (
    KNOWN_PROVIDERS,
    LocalModel,
    is_known_prefix,
    resolve,
)
from dspex.client.secrets import Secret
from dspex.core.errors import ConfigurationError

AZURE = {
    "AZURE_API_KEY": "key-of-azure",
    "AZURE_API_BASE": "https://mine.openai.azure.com",
    "AZURE_API_VERSION": "2024-10-21",
}
KEYS = {
    **{known.key_variable: f"key-of-{name}" for name, known in KNOWN_PROVIDERS.items()},
    **AZURE,
}
PUBLIC = sorted(name for name, known in KNOWN_PROVIDERS.items() if known.base_url)
CLOUDS = sorted(name for name, known in KNOWN_PROVIDERS.items() if known.needs_key)


@pytest.mark.parametrize("name", PUBLIC)
def test_known_provider_is_reached_at_its_own_address_with_its_own_key(
    name: str,
) -> None:
    endpoint = resolve(f"{name}/family/model:tag", env=KEYS)

    assert endpoint == Endpoint(
        provider=name,
        base_url=KNOWN_PROVIDERS[name].base_url or "",
        model="family/model:tag",
        api_key=Secret(f"key-of-{name}"),
        format=KNOWN_PROVIDERS[name].format,
    )


@pytest.mark.parametrize("name", CLOUDS)
def test_missing_key_names_the_variable(name: str) -> None:
    with pytest.raises(
        ConfigurationError, match=KNOWN_PROVIDERS[name].key_variable
    ) as caught:
        resolve(f"{name}/m", env={"AZURE_API_BASE": AZURE["AZURE_API_BASE"]})

    assert f"{name}/m" in str(caught.value)


@pytest.mark.parametrize("name", ["ollama", "vllm", "sglang", "llamacpp", "lm_studio"])
def test_server_of_ones_own_needs_no_key(name: str) -> None:
    endpoint = resolve(f"{name}/m", env={})

    assert isinstance(endpoint, Endpoint)
    assert endpoint.api_key is None
    assert endpoint.is_local


@pytest.mark.parametrize(
    "address", ["http://localhost:9/v1", "https://gateway.example.com/v1"]
)
def test_key_of_the_environment_stays_away_from_another_address(address: str) -> None:
    endpoint = resolve("openai/m", api_base=address, env=KEYS)

    assert isinstance(endpoint, Endpoint)
    assert endpoint.base_url == address
    assert endpoint.api_key is None


def test_key_that_is_passed_goes_to_the_address_that_is_passed() -> None:
    endpoint = resolve(
        "openai/m", api_base="https://x.test/v1", api_key="mine", env=KEYS
    )

    assert isinstance(endpoint, Endpoint)
    assert endpoint.api_key == Secret("mine")


def test_own_address_written_out_is_still_the_own_address() -> None:
    endpoint = resolve("openai/m", api_base="https://api.openai.com/v1/", env=KEYS)

    assert isinstance(endpoint, Endpoint)
    assert endpoint.api_key == Secret("key-of-openai")


@pytest.mark.parametrize("name", ["gemma-3-270m", "/models/some file.gguf", "a/b.gguf"])
def test_local_model_keeps_the_rest_of_the_string(name: str) -> None:
    assert resolve(f"local/{name}", env={}) == LocalModel(name)


@pytest.mark.parametrize("extra", [{"api_base": "http://x.test"}, {"api_key": "k"}])
def test_local_model_has_neither_address_nor_key(extra: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="served by dspex itself"):
        resolve("local/m", env={}, **extra)


@pytest.mark.parametrize(
    "model", ["gpt-4o-mini", "acme/gpt", "", "/", "openai/", "/m", "OpenAI/m"]
)
def test_unknown_model_string_lists_the_prefixes_and_shows_the_way_out(
    model: str,
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve(model, env=KEYS)

    text = str(caught.value)
    assert all(name in text for name in ["local", *KNOWN_PROVIDERS])
    assert 'dspex.LM("openai/' in text
    assert 'api_base="http://host:port/v1")' in text


@pytest.mark.parametrize(
    ("other", "name"),
    [
        ("together_ai", "together"),
        ("fireworks_ai", "fireworks"),
        ("ollama_chat", "ollama"),
        ("hosted_vllm", "vllm"),
    ],
)
def test_other_names_of_a_provider_mean_the_same(other: str, name: str) -> None:
    assert resolve(f"{other}/m", env=KEYS) == resolve(f"{name}/m", env=KEYS)


@pytest.mark.parametrize("prefix", ["bedrock", "vertex_ai"])
def test_absent_provider_says_that_it_is_absent_and_why(prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="is not reached by dspex") as caught:
        resolve(f"{prefix}/m", env=KEYS)

    assert "the known prefixes are" in str(caught.value)


def test_azure_takes_address_version_and_key_from_the_environment() -> None:
    assert resolve("azure/my-deployment", env=AZURE) == Endpoint(
        provider="azure",
        base_url="https://mine.openai.azure.com",
        model="my-deployment",
        api_key=Secret("key-of-azure"),
        format="azure_chat",
        api_version="2024-10-21",
    )


def test_azure_takes_address_version_and_key_from_arguments() -> None:
    endpoint = resolve(
        "azure/d",
        api_base="https://other.openai.azure.com/",
        api_key="mine",
        api_version="2025-01-01",
        env=AZURE,
    )

    assert isinstance(endpoint, Endpoint)
    assert endpoint.base_url == "https://other.openai.azure.com"
    assert endpoint.api_version == "2025-01-01"
    assert endpoint.api_key == Secret("mine")


def test_azures_key_of_the_environment_stays_with_the_address_of_the_environment() -> (
    None
):
    with pytest.raises(ConfigurationError, match="AZURE_API_BASE") as caught:
        resolve("azure/d", api_base="https://thief.openai.azure.com", env=AZURE)

    assert "pass api_key=" in str(caught.value)


def test_azure_without_an_address_names_the_variable() -> None:
    with pytest.raises(ConfigurationError, match="AZURE_API_BASE"):
        resolve("azure/d", env={"AZURE_API_KEY": "k"})


def test_version_is_for_azure_only() -> None:
    with pytest.raises(ConfigurationError, match="only Azure"):
        resolve("openai/m", api_version="2024-10-21", env=KEYS)


def test_key_goes_unencrypted_only_when_that_is_said() -> None:
    base = "http://10.0.0.1/v1"
    with pytest.raises(ConfigurationError, match="allow_insecure=True"):
        resolve("vllm/m", api_base=base, api_key="k-1", env={})

    endpoint = resolve(
        "vllm/m", api_base=base, api_key="k-1", allow_insecure=True, env={}
    )

    assert isinstance(endpoint, Endpoint)
    assert endpoint.api_key == Secret("k-1")


@pytest.mark.parametrize(
    ("prefix", "is_known"),
    [("local", True), ("azure", True), ("together_ai", True), ("bedrock", False)],
)
def test_known_prefixes(prefix: str, is_known: bool) -> None:
    assert is_known_prefix(prefix) is is_known


def test_every_known_provider_has_a_name_of_a_format() -> None:
    theirs = {known.format for known in KNOWN_PROVIDERS.values()}

    assert theirs - {"anthropic_messages", "gemini"} <= FORMATS.keys()
