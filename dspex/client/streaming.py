"""Reading one streamed answer: bytes in, chunks to the channel, the whole at the end.

It runs on the wire's event loop. It opens no socket, and sends nothing again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from dspex.client.channel import Channel
from dspex.client.providers.format import StreamReader
from dspex.core.errors import LMError
from dspex.core.lm import Reply


async def read_stream(
    parts: AsyncGenerator[bytes, None], reader: StreamReader, channel: Channel
) -> Reply:
    """Hand on what comes, and put the reply together.

    However it ends, cancelled or not, `parts` is closed before it returns.

    Args:
        parts: The body, unpacked, cut anywhere.
        reader: Made for this response.
        channel: Where the chunks go. It may have seen attempts that failed before
            their first chunk.

    Raises:
        LMStreamError: It broke after the first chunk, so it must not be sent again;
            `.text` is what was handed on. A `ConsumerGoneError` when nobody reads.
        LMError: It broke before the first chunk; it may be sent again.
    """
    try:
        async with aclosing(parts):
            attempt = channel.begin_attempt()
            async for data in parts:
                for chunk in reader.feed(data):
                    # What says nothing must not keep a request from being sent again.
                    if chunk.text or chunk.reasoning:
                        await channel.put(chunk, attempt)
            return reader.finish()
    except LMError as error:
        told = channel.as_told(error)
        if told is error:
            raise
        raise told from error
