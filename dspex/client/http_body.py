"""Reading a response's body within a limit of bytes, packed and unpacked."""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

__all__ = ["EncodingError", "TooLargeError", "read_body"]


class TooLargeError(Exception):
    """A body is larger than allowed."""


class EncodingError(Exception):
    """A body is packed in a way that cannot be undone; the text names the way."""


async def read_body(
    parts: AsyncGenerator[bytes, None], headers: Mapping[str, str], max_bytes: int
) -> bytes:
    """Read a whole body and unpack it.

    Args:
        parts: The body as it comes. It is closed, read to its end or not.
        headers: The response's headers, names in lower case.
        max_bytes: The limit, for the bytes that come and for what they unpack to.

    Raises:
        TooLargeError: When it is larger, or says that it is.
        EncodingError: When it is neither plain, nor gzip, nor deflate.
    """
    async with aclosing(parts):
        packed = await _read(parts, headers, max_bytes)
    return _unpacked(packed, headers.get("content-encoding", ""), max_bytes)


async def _read(
    parts: AsyncGenerator[bytes, None], headers: Mapping[str, str], max_bytes: int
) -> bytes:
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise TooLargeError
    received: list[bytes] = []
    size = 0
    async for part in parts:
        size += len(part)
        if size > max_bytes:
            raise TooLargeError
        received.append(part)
    return b"".join(received)


def _unpacked(packed: bytes, encoding: str, max_bytes: int) -> bytes:
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return packed
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise EncodingError(encoding)
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        body = unpacker.decompress(packed, max_bytes + 1)
    except zlib.error:
        raise EncodingError(encoding) from None
    if len(body) > max_bytes:
        raise TooLargeError
    if not unpacker.eof:
        raise EncodingError(encoding)
    return body
