"""OpenAI's chat completions, the format most servers speak.

How a request is written stands in `openai_request`, how an answer is read in
`openai_reply` and `openai_stream`, and what a refusal means in `openai_errors`.
"""

from __future__ import annotations

from dataclasses import replace

from dspex.client.providers.openai_addresses import azure_address
from dspex.client.providers.openai_format import OpenAIFormat
from dspex.client.providers.openai_reply import reply_of
from dspex.client.providers.openai_request import chat_body
from dspex.client.providers.openai_stream import OpenAIStream

OPENAI_CHAT = OpenAIFormat(
    operation="chat/completions",
    expected="JSON with choices[0].message.content",
    body_of=chat_body,
    reply_of=reply_of,
    stream_reader=OpenAIStream,
)
"""The format of `/v1/chat/completions`, as everybody but Azure has it."""

AZURE_CHAT = replace(OPENAI_CHAT, find=azure_address)
"""The format as Azure has it."""
