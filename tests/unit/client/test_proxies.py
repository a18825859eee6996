"""Which proxy a request goes through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.client.proxies import NO_PROXIES, Proxies
from dspex.core.errors import ConfigurationError

CLOUD = "https://api.example.com/v1"
PROXY = "http://proxy:3128"


def found(**variables: str) -> Proxies:
    return Proxies.from_environment(variables)


@pytest.mark.parametrize(
    ("variables", "for_https", "for_http"),
    [
        ({}, None, None),
        ({"HTTPS_PROXY": PROXY}, PROXY, None),
        ({"HTTP_PROXY": PROXY}, None, PROXY),
        ({"ALL_PROXY": PROXY}, PROXY, PROXY),
        ({"ALL_PROXY": PROXY, "https_proxy": "http://b:1"}, "http://b:1", PROXY),
        ({"HTTPS_PROXY": PROXY, "https_proxy": "http://b:1"}, "http://b:1", None),
        ({"HTTPS_PROXY": " proxy:3128 "}, PROXY, None),
        ({"HTTPS_PROXY": ""}, None, None),
    ],
)
def test_variables_say_which_proxy_is_for_which_scheme(
    variables: dict[str, str], for_https: str | None, for_http: str | None
) -> None:
    proxies = found(**variables)

    assert proxies.for_url(CLOUD) == for_https
    assert proxies.for_url("http://api.example.com/v1") == for_http


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8080/v1",
        "https://a.localhost/",
        "http://127.0.0.1/",
        "http://127.9.9.9/",
        "http://[::1]:80/",
    ],
)
def test_loopback_is_never_sent_to_a_proxy_of_the_environment(url: str) -> None:
    assert found(ALL_PROXY=PROXY).for_url(url) is None


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://localhost/", CLOUD])
def test_proxy_that_was_passed_is_used_for_everything(url: str) -> None:
    assert Proxies.only("proxy:3128").for_url(url) == PROXY


def test_no_proxies_are_none() -> None:
    assert NO_PROXIES.for_url(CLOUD) is None


@pytest.mark.parametrize(
    ("rules", "url", "is_direct"),
    [
        ("*", CLOUD, True),
        ("example.com", CLOUD, True),
        (".example.com", CLOUD, True),
        ("*.example.com", CLOUD, True),
        ("EXAMPLE.com", CLOUD, True),
        ("ample.com", CLOUD, False),
        ("com.example", CLOUD, False),
        ("api.example.com.", CLOUD, False),
        ("other, api.example.com", CLOUD, True),
        ("api.example.com:443", CLOUD, True),
        ("api.example.com:8443", CLOUD, False),
        ("api.example.com:8443", "https://api.example.com:8443/", True),
        ("10.0.0.0/8", "https://10.1.2.3/", True),
        ("10.0.0.0/8", "https://11.1.2.3/", False),
        ("10.1.2.3", "https://10.1.2.3/", True),
        ("10.1.2.3:443", "https://10.1.2.3/", True),
        ("10.1.2.3:80", "https://10.1.2.3/", False),
        ("fd00::/8", "https://[fd00::1]/", True),
        ("[fd00::1]:443", "https://[fd00::1]/", True),
        ("fd00::1", "https://[fd00::2]/", False),
        ("10.0.0.0/8", CLOUD, False),
        ("example.com", "https://10.1.2.3/", False),
        (" , ,", CLOUD, False),
        (".", CLOUD, False),
    ],
)
def test_exceptions_are_reached_directly(rules: str, url: str, is_direct: bool) -> None:
    proxies = found(ALL_PROXY=PROXY, NO_PROXY=rules)

    assert proxies.for_url(url) == (None if is_direct else PROXY)


@given(st.text(max_size=30))
def test_no_rule_is_an_error(rules: str) -> None:
    proxies = found(ALL_PROXY=PROXY, NO_PROXY=rules)

    assert proxies.for_url(CLOUD) in {None, PROXY}
    assert proxies.for_url("https://10.1.2.3/") in {None, PROXY}


@pytest.mark.parametrize(
    "url", ["socks5://me:tell-nobody@proxy:1080", "http://", "http://a:b", "ftp://a"]
)
def test_proxy_that_cannot_be_used_is_an_error_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match="expected a URL such as") as caught:
        found(HTTPS_PROXY=url)

    assert "tell-nobody" not in str(caught.value)


def test_repr_shows_no_proxy() -> None:
    assert "tell-nobody" not in repr(Proxies.only("http://me:tell-nobody@proxy:1"))
