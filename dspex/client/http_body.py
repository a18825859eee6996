"""Unpacking a response's body while it comes, within a limit of bytes."""

from __future__ import annotations

import zlib
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
)

__all__ = ["EncodingError", "TooLargeError", "read_plain", "unpacked"]

_PIECE_MAX = 64 * 1024


class TooLargeError(Exception):
    """A body is larger than allowed."""


class EncodingError(Exception):
    """A body is packed in a way that cannot be undone; the text names the way."""


async def unpacked(
    parts: AsyncIterable[bytes], headers: Mapping[str, str], max_bytes: int
) -> AsyncGenerator[bytes, None]:
    """Yield a body's bytes, unpacked, as they come.

    A packed part is unpacked in pieces of at most 64 kB, so a small part that stands
    for a gigabyte takes no gigabyte.

    Args:
        parts: The body as it comes.
        headers: The response's headers, names in lower case.
        max_bytes: The limit, for the bytes that come and for what they unpack to.

    Raises:
        TooLargeError: When it is larger, or says that it is.
        EncodingError: When it is neither plain, nor gzip, nor deflate.
    """
    _check_announced(headers, max_bytes)
    unpacker = _unpacker(headers.get("content-encoding", ""))
    packed = plain = 0
    async for part in parts:
        packed += len(part)
        if packed > max_bytes:
            raise TooLargeError
        for piece in (part,) if unpacker is None else unpacker.feed(part):
            plain += len(piece)
            if plain > max_bytes:
                raise TooLargeError
            yield piece
    if unpacker is not None:
        unpacker.finish()


async def read_plain(
    take: Callable[[], Awaitable[bytes]], headers: Mapping[str, str], max_bytes: int
) -> bytes | None:
    """Read the whole of a body that came unpacked, as nearly every one does.

    What `unpacked` does for any body, without its cost for each piece.

    Args:
        take: Returns some more bytes, and none at the end.
        headers: The response's headers, names in lower case.
        max_bytes: The limit.

    Returns:
        The body; `None`, with nothing taken, when it is packed.

    Raises:
        TooLargeError: When it is larger, or says that it is.
    """
    if headers.get("content-encoding", "identity") != "identity":
        return None
    _check_announced(headers, max_bytes)
    parts, size = [], 0
    while part := await take():
        size += len(part)
        if size > max_bytes:
            raise TooLargeError
        parts.append(part)
    return b"".join(parts)


def _check_announced(headers: Mapping[str, str], max_bytes: int) -> None:
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise TooLargeError


def _unpacker(encoding: str) -> _Unpacker | None:
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return None
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise EncodingError(encoding)
    return _Unpacker(encoding)


class _Unpacker:
    """Undoes gzip and deflate, also of several streams in a row."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._stream = _new_stream()
        self._is_inside = False

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """Yield what some more bytes unpack to."""
        while packed:
            if self._stream.eof:
                self._stream = _new_stream()
            self._is_inside = True
            yield from self._pieces(packed)
            packed = self._stream.unused_data

    def finish(self) -> None:
        """Check that the last stream was whole. No bytes at all are whole too."""
        if self._is_inside and not self._stream.eof:
            raise EncodingError(self._encoding)

    def _pieces(self, packed: bytes) -> Iterator[bytes]:
        piece = self._unpack(packed)
        # A full piece may have left bytes inside zlib, and not only in its tail.
        while len(piece) == _PIECE_MAX:
            yield piece
            piece = self._unpack(self._stream.unconsumed_tail)
        if piece:
            yield piece

    def _unpack(self, packed: bytes) -> bytes:
        try:
            return self._stream.decompress(packed, _PIECE_MAX)
        except zlib.error:
            raise EncodingError(self._encoding) from None


def _new_stream() -> zlib._Decompress:
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
