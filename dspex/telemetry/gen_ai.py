"""The words of OpenTelemetry's conventions for generative AI, as plain texts.

They are those of the conventions' own repository, `semantic-conventions-genai`, as of
2026, where their status is "Development"; the constants of the Python package are
deprecated. Whoever follows a change of the conventions changes this module alone.
"""

from __future__ import annotations

from typing import Final

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_ID: Final = "gen_ai.response.id"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_CREATION_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - a word of the conventions
TOOL_NAME: Final = "gen_ai.tool.name"
EVALUATION_RESULT: Final = "gen_ai.evaluation.result"
EVALUATION_NAME: Final = "gen_ai.evaluation.name"
SCORE_VALUE: Final = "gen_ai.evaluation.score.value"
SCORE_LABEL: Final = "gen_ai.evaluation.score.label"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
ERROR_TYPE: Final = "error.type"
STATUS_CODE: Final = "http.response.status_code"

DURATION: Final = "gen_ai.client.operation.duration"
DURATION_BUCKETS: Final = tuple(0.01 * 2**power for power in range(14))
"""Seconds, as the conventions recommend."""
TOKENS: Final = "gen_ai.client.token.usage"
TOKEN_BUCKETS: Final = tuple(4**power for power in range(14))
"""Tokens, as the conventions recommend."""

CHOICES: Final = "gen_ai.request.choice.count"
"""Left out where it is 1."""
STOP: Final = "gen_ai.request.stop_sequences"
STREAM: Final = "gen_ai.request.stream"
"""Left out where the answer comes whole."""
SETTINGS: Final = {
    "temperature": "gen_ai.request.temperature",
    "max_tokens": "gen_ai.request.max_tokens",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": "gen_ai.request.seed",
    "n": CHOICES,
}
"""Settings that are numbers, and their names there."""
PROVIDERS: Final = {
    "gemini": "gcp.gemini",
    "azure": "azure.ai.openai",
    "mistral": "mistral_ai",
    "xai": "x_ai",
}
"""Providers that have another name there."""
