import pytest

from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.model_strings import KNOWN_PROVIDERS, LocalModel, resolve
from dspex.client.secrets import Secret
from dspex.core.errors import ConfigurationError

KEYS = {known.key_variable: f"key-of-{name}" for name, known in KNOWN_PROVIDERS.items()}
CLOUDS = sorted(name for name, known in KNOWN_PROVIDERS.items() if known.needs_key)


@pytest.mark.parametrize("name", sorted(KNOWN_PROVIDERS))
def test_known_provider_is_reached_at_its_own_address_with_its_own_key(
    name: str,
) -> None:
    endpoint = resolve(f"{name}/family/model:tag", env=KEYS)

    assert endpoint == Endpoint(
        provider=name,
        base_url=KNOWN_PROVIDERS[name].base_url,
        model="family/model:tag",
        api_key=Secret(f"key-of-{name}"),
    )


@pytest.mark.parametrize("name", CLOUDS)
def test_missing_key_names_the_variable(name: str) -> None:
    with pytest.raises(
        ConfigurationError, match=KNOWN_PROVIDERS[name].key_variable
    ) as caught:
        resolve(f"{name}/m", env={})

    assert f"{name}/m" in str(caught.value)


@pytest.mark.parametrize("name", ["ollama", "vllm", "llamacpp"])
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
def test_local_model_has_neither_address_nor_key(extra: dict[str, str]) -> None:
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
    [("together_ai", "together"), ("ollama_chat", "ollama"), ("hosted_vllm", "vllm")],
)
def test_other_names_of_a_provider_mean_the_same(other: str, name: str) -> None:
    assert resolve(f"{other}/m", env=KEYS) == resolve(f"{name}/m", env=KEYS)
