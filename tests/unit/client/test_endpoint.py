import pytest

from dspex.client.providers.endpoint import Endpoint, is_loopback
from dspex.client.secrets import Secret
from dspex.core.errors import ConfigurationError


def at(base_url: str, key: str | None = None) -> Endpoint:
    secret = Secret(key) if key else None
    return Endpoint(provider="openai", base_url=base_url, model="m", api_key=secret)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://x/",
        "ftp://x/",
        "api.openai.com/v1",
        "http://",
        "http://[::1",
        "http://x:99999/",
        "https://canary@x/v1",
        "https://u:canary@x/v1",
        "https://x/v1?key=canary",
        "https://x/v1#canary",
        "http://169.254.169.254/latest",
        "http://169.254.169.254./latest",
        "http://2852039166/latest",
        "http://0xa9fea9fe/latest",
        "http://[::ffff:169.254.169.254]/latest",
        "http://[fd00:ec2::254]/latest",
        "http://100.100.100.200/latest",
        "http://metadata.google.internal/computeMetadata",
        "http://[fe80::1]/v1",
        "",
    ],
)
def test_address_that_is_no_models_api_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        at(url)

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("host", ["10.0.0.1", "example.com", "localhost.example.com"])
def test_key_over_plain_http_to_another_machine_is_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match="unencrypted") as caught:
        at(f"http://{host}/v1", key="sk-canary")

    assert "canary" not in str(caught.value)
    assert at(f"http://{host}/v1").api_key is None
    assert at(f"https://{host}/v1", key="sk-canary").api_key is not None


def test_insecure_address_is_taken_when_that_is_said() -> None:
    metadata = Endpoint(
        provider="openai",
        base_url="http://169.254.169.254/v1",
        model="m",
        api_key=Secret("k-1"),
        allow_insecure=True,
    )

    assert metadata.api_key == Secret("k-1")
    with pytest.raises(ConfigurationError, match="'file'"):
        Endpoint(provider="x", base_url="file:///x", model="m", allow_insecure=True)


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost.", "127.0.0.1", "127.9.9.9", "127.1", "[::1]"],
)
def test_key_may_go_to_this_machine(host: str) -> None:
    endpoint = at(f"http://{host}:8080/v1", key="k-1")

    assert endpoint.is_local


def test_slash_and_space_around_the_address_are_dropped() -> None:
    assert at(" https://x.test/v1/ ").base_url == "https://x.test/v1"


@pytest.mark.parametrize(
    "host", ["128.0.0.1", "localhost.evil.test", "", "127.0.0.1.x"]
)
def test_other_hosts_are_not_this_machine(host: str) -> None:
    assert not is_loopback(host)
