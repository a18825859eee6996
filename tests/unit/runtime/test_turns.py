"""What a model may be called with."""

from __future__ import annotations

import pytest

from dspex.core.errors import ConfigurationError
from dspex.core.lm import Message
from dspex.runtime.turns import turns_of

CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
TURNS = (Message("system", "Be brief."), Message("user", "Hi"))


def test_a_prompt_is_a_turn_of_the_user() -> None:
    assert turns_of("Hi", None) == (Message("user", "Hi"),)


def test_a_chat_is_taken_by_name_or_in_the_place_of_the_prompt() -> None:
    assert turns_of(None, CHAT) == turns_of(CHAT, None) == TURNS


@pytest.mark.parametrize(("prompt", "messages"), [(None, None), ("Hi", CHAT)])
def test_both_or_neither_is_refused(
    prompt: str | None, messages: list[dict[str, str]] | None
) -> None:
    with pytest.raises(ConfigurationError, match="either a prompt or messages"):
        turns_of(prompt, messages)
