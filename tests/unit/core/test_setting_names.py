"""Which names no setting may have."""

from __future__ import annotations

import pytest

from dspex.core.setting_names import not_settings


@pytest.mark.parametrize(
    "name",
    [
        *("api_key", "apikey", "API_KEY", "openai_api_key", "aws_secret_access_key"),
        *("aws_access_key_id", "azure_ad_token", "auth_token", "client_secret"),
        *("password", "vertex_credentials", "Authorization", "private_key"),
        *("base_url", "api_base", "headers", "extra_headers", "extra_body"),
    ],
)
def test_keys_and_addresses_are_no_settings(name: str) -> None:
    assert not_settings(["temperature", name]) == [name]


@pytest.mark.parametrize(
    "name",
    [
        *("temperature", "max_tokens", "max_completion_tokens", "top_logprobs"),
        *("prompt_cache_key", "stop_token_ids", "logit_bias", "safety_identifier"),
        *("add_special_tokens", "min_tokens", "seed", "rollout_id", "grammar"),
    ],
)
def test_settings_that_sound_alike_are_settings(name: str) -> None:
    assert not_settings([name]) == []
