"""A program that catches DSPy's errors and reads their facts finds them here."""

from __future__ import annotations

import pytest

import dspex
from dspex.core.errors import (
    AdapterParseError,
    ContextWindowExceededError,
    LMError,
    LMInvalidRequestError,
    LMProviderError,
    LMRateLimitError,
)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("LMError", "lm_error"),
        ("LMTransportError", "transport"),
        ("LMProviderError", "provider"),
        ("LMUnexpectedError", "unexpected"),
        ("LMStreamAssemblyError", "stream_assembly"),
        ("LMAuthError", "auth"),
        ("LMBillingError", "billing"),
        ("LMRateLimitError", "rate_limit"),
        ("LMInvalidRequestError", "invalid_request"),
        ("ContextWindowExceededError", "context_window_exceeded"),
        ("LMTimeoutError", "timeout"),
        ("LMServerError", "server"),
        ("LMConfigurationError", "configuration"),
    ],
)
def test_an_error_has_the_code_that_dspy_gives_it(name: str, code: str) -> None:
    error = getattr(dspex, name)()

    assert error.code == code
    assert isinstance(error, dspex.DSPyError)


@pytest.mark.parametrize(
    ("name", "worth_another_call"),
    [
        ("LMRateLimitError", True),
        ("LMTimeoutError", True),
        ("LMServerError", True),
        ("LMTransportError", True),
        ("LMAuthError", False),
        ("LMBillingError", False),
        ("LMInvalidRequestError", False),
        ("LMUnsupportedModelError", False),
        ("LMUnexpectedError", False),
        ("LMStreamAssemblyError", False),
        ("LMNotConfiguredError", False),
    ],
)
def test_what_is_worth_another_call_is_what_dspy_says(
    name: str, worth_another_call: bool
) -> None:
    error = getattr(dspex, name)("no")

    assert dspex.is_retryable_lm_error(error) is worth_another_call


def test_no_other_error_is_worth_another_call() -> None:
    assert not dspex.is_retryable_lm_error(ValueError("no"))


def test_the_providers_own_word_decides_before_the_class() -> None:
    error = LMInvalidRequestError("no")

    error.retryable = True

    assert dspex.is_retryable_lm_error(error)


def test_the_facts_of_a_call_are_attributes() -> None:
    error = LMRateLimitError(
        "too many requests",
        model="openai/gpt-4o",
        provider_code="slow_down",
        status=429,
        request_id="r-1",
        retry_after=2.5,
    )

    assert error.message == "too many requests"
    assert str(error) == "[openai/gpt-4o] too many requests"
    assert (error.provider, error.provider_code) == ("openai", "slow_down")
    assert (error.status, error.request_id, error.retry_after) == (429, "r-1", 2.5)


def test_facts_that_are_not_known_are_none() -> None:
    error = ContextWindowExceededError()

    assert isinstance(error, LMInvalidRequestError | LMProviderError | LMError)
    assert (error.model, error.provider, error.status) == (None, None, None)
    assert str(error) == ""


def test_a_model_that_the_text_names_is_not_named_twice() -> None:
    error = LMError("'openai/gpt-4o' was refused", model="openai/gpt-4o", code="mine")

    assert str(error) == "'openai/gpt-4o' was refused"
    assert error.code == "mine"
    assert LMError.code == "lm_error"


@pytest.mark.parametrize(("model", "provider"), [("gpt-4o", None), ("a/b/c", "a")])
def test_the_provider_is_the_prefix_of_the_model(
    model: str, provider: str | None
) -> None:
    assert LMError("no", model=model).provider == provider
    assert LMError("no", model=model, provider="mine").provider == "mine"


def test_a_parse_error_of_ones_own_adapter_has_its_facts() -> None:
    signature = dspex.make_signature("question -> first, second")

    error = AdapterParseError(
        adapter_name="MyAdapter",
        signature=signature,
        lm_response="first: 1",
        message="no second",
        parsed_result={"first": "1"},
    )

    assert isinstance(error, dspex.DSPyError)
    assert error.code == "adapter_parse_error"
    assert error.signature is signature
    assert error.expected == ("first", "second")
    assert error.parsed_result == {"first": "1"}
    assert error.message == str(error)
    assert "no second" in str(error)
