import pytest

from dspex.client.http_messages import HttpResponse
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.foreign_text import visible
from dspex.client.providers.format import Sender
from dspex.client.providers.openai_errors import error_for
from dspex.client.secrets import Secret


def refuse(message: str, *, status: int = 500, secret: Secret | None = None) -> str:
    response = HttpResponse(status=status, headers={}, body=message.encode())
    return str(error_for(response, sender(secret)))


def sender(secret: Secret | None = None) -> Sender:
    endpoint = Endpoint(
        provider="openai", base_url="https://x.test/v1", model="m", api_key=secret
    )
    return Sender(endpoint=endpoint, label="openai/m", wall_clock=lambda: 1000.0)


def test_long_message_of_a_provider_is_cut() -> None:
    text = refuse("x" * 10_000)

    assert len(text) < 800
    assert "10000 characters" in text


def test_key_is_scrubbed_even_where_the_cut_would_split_it() -> None:
    key = Secret("a-canary-that-must-not-show")

    text = refuse("x" * 490 + key.reveal(), secret=key)

    assert "canary" not in text


@pytest.mark.parametrize("echo", ["sk-abcdefghijkl", "Bearer abc.def"])
def test_what_looks_like_a_key_is_masked_without_knowing_it(echo: str) -> None:
    assert echo not in refuse(f"wrong key {echo}")


def test_refusal_of_a_call_without_a_key_says_that_none_was_sent() -> None:
    assert "no key was sent" in refuse("denied", status=401)
    assert "no key was sent" not in refuse("denied", status=401, secret=Secret("k-1"))


@pytest.mark.parametrize(
    "character", ["\x1b", "\x9b", "\u202e", "\r", "\n", "\x00", "\u2028", "\ud800"]
)
def test_what_a_terminal_would_obey_is_made_visible(character: str) -> None:
    shown = visible(f"a{character}b")

    assert character not in shown
    assert shown.startswith("a\\")


def test_request_id_with_control_characters_is_made_visible() -> None:
    response = HttpResponse(status=500, headers={"x-request-id": "a\x1bb"}, body=b"")

    assert error_for(response, sender()).request_id == "a\\x1bb"
