import copy
import pickle  # noqa: TID251 - the test shows that it does not work

import pytest

from dspex.client.secrets import Secret
from dspex.core.errors import ConfigurationError

CANARY = "sk-canary-123"


def test_no_text_of_a_secret_shows_it() -> None:
    secret = Secret(CANARY)

    shown = f"{secret} {secret!r} {secret!s} {secret:>30} {[secret]} {vars_of(secret)}"

    assert "canary" not in shown


def vars_of(secret: Secret) -> object:
    return getattr(secret, "__dict__", {})


@pytest.mark.parametrize("wrapped", [f" {CANARY}", f"{CANARY}\n", f"\r\n{CANARY}\t"])
def test_white_space_around_a_key_is_dropped(wrapped: str) -> None:
    assert Secret(wrapped).reveal() == CANARY


@pytest.mark.parametrize(
    "wrong", ["", "  \n", "sk-canary\n123", "sk-canary\x00", "sk-canäry", "canary—x"]
)
def test_key_that_no_header_can_carry_is_refused_without_showing_it(wrong: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Secret(wrong)

    assert "can" not in str(caught.value).replace("cannot", "").replace(" can ", "")


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy])
def test_secret_is_neither_pickled_nor_copied(way: object) -> None:
    assert callable(way)
    with pytest.raises(TypeError, match="stay in the process"):
        way(Secret(CANARY))


def test_secrets_are_equal_by_value() -> None:
    assert Secret(CANARY) == Secret(CANARY + "\n")
    assert Secret(CANARY) != Secret("other")
    assert len({Secret(CANARY), Secret(CANARY)}) == 1
    assert Secret(CANARY) != CANARY


def test_scrub_masks_every_occurrence() -> None:
    assert Secret("abc").scrub("abc-x-abc") == "***-x-***"
