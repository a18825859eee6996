"""Bytes as `data:` URLs: their kind, how they are shown, and two explicit sources.

Only `read_local` and `download` touch the machine, and only the `from_...` methods a
person calls by name reach them. What a model or a row of data says never does.
"""

from __future__ import annotations

import base64
import mimetypes
import ssl
import urllib.error
import urllib.request
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from dspex.core.errors import ContentError

LARGEST_DOWNLOAD: Final = 100_000_000
"""Bytes after which a download is refused."""

UNKNOWN: Final = "application/octet-stream"
"""The media type of bytes nobody can tell."""

_MAGIC: Final = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"BM", "image/bmp"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftyphei", "image/heic"),
    (0, b"%PDF-", "application/pdf"),
)
"""Where a format's first bytes stand, what they are, and its media type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """Bytes and what they are."""

    content: bytes = field(repr=False)
    """The bytes."""
    media_type: str
    """Such as `image/png`."""

    @property
    def base64(self) -> str:
        """The bytes as base64 text."""
        return base64.b64encode(self.content).decode("ascii")

    @property
    def data_url(self) -> str:
        """The bytes as a `data:` URL."""
        return f"data:{self.media_type};base64,{self.base64}"


def warn_of_older_name(name: str, instead: str) -> None:
    """Say at the caller's caller what DSPy calls it by now."""
    text = f"{name} is deprecated, as it is in DSPy; write {instead}"
    warnings.warn(text, DeprecationWarning, stacklevel=3)


def sniffed(content: bytes) -> str | None:
    """Return the media type that the first bytes tell, or `None`."""
    for start, magic, media_type in _MAGIC:
        if content[start : start + len(magic)] == magic:
            return media_type
    return None


def shown(value: str) -> str:
    """Return an address, or the kind and size of what a `data:` URL holds.

    The words are those of DSPy, and the size is that of the encoded text.
    """
    if not value.startswith("data:"):
        return repr(value)
    media_type = value[len("data:") : 100].partition(",")[0].partition(";")[0]
    encoded = value.partition(";base64,")[2] or value
    return f"<DATA_URI({media_type}, {len(encoded)} chars)>"


def is_remote(address: str, schemes: tuple[str, ...] = ("http", "https")) -> bool:
    """Say whether a text is an address with one of the schemes and a host."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.netloc)


def read_local(path: str | Path, media_type: str | None = None) -> Media:
    """Read a file of this machine.

    Args:
        path: The file.
        media_type: What it holds; `None` to tell by its name, then by its bytes.

    Raises:
        ContentError: When there is no such file.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ContentError(
            f"File not found at {str(path)!r} ({error.strerror}); expected the path of "
            "a file that may be read. Check both."
        ) from error
    named = mimetypes.guess_type(str(path))[0]
    known = media_type or _first_told(named, sniffed(content))
    return Media(content=content, media_type=known)


def download(address: str, *, verify: bool, timeout: float | None) -> Media:
    """Fetch what stands at an address, redirects included.

    No host is off limits: whoever lets a stranger choose the address checks it first.

    Args:
        address: An `http` or `https` address.
        verify: Whether to check the server's certificate.
        timeout: Seconds without a byte before it ends; `None` waits for ever.

    Raises:
        ContentError: When nothing could be fetched, or more than 100 MB.
    """
    if not is_remote(address):
        raise ContentError(
            f"{shown(address)} cannot be fetched; expected an http or https address. "
            "Use from_path() for a file of this machine."
        )
    try:
        with _opener(verify=verify).open(address, timeout=timeout) as response:
            content = response.read(LARGEST_DOWNLOAD + 1)
            named = response.headers.get_content_type()
    except OSError as error:
        raise ContentError(
            f"nothing could be fetched from {address!r} ({error}); expected an answer "
            "with a body. Try the address in a browser."
        ) from error
    if len(content) > LARGEST_DOWNLOAD:
        raise ContentError(
            f"what stands at {address!r} is larger than {LARGEST_DOWNLOAD:,} bytes; "
            "expected less. Fetch it yourself and make it smaller."
        )
    told = named if response.headers.get("Content-Type") else None
    guessed = mimetypes.guess_type(urlsplit(address).path)[0]
    known = _first_told(told, guessed, sniffed(content))
    return Media(content=content, media_type=known)


def _first_told(*media_types: str | None) -> str:
    # Stores of files say octet-stream of everything they were told nothing about.
    return next((one for one in media_types if one not in {None, UNKNOWN}), UNKNOWN)


def _opener(*, verify: bool) -> urllib.request.OpenerDirector:
    # By hand: build_opener() would follow a redirect to ftp and open file:// too.
    checks = ssl.create_default_context()
    if not verify:
        checks.check_hostname = False
        checks.verify_mode = ssl.CERT_NONE
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=checks),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener
