"""`Image`: a picture as a field's value."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from dspex.core.errors import ContentError
from dspex.core.types import _media
from dspex.core.types.base import ContentPart, Type


class Image(Type):
    """A picture: an address, or the picture itself as a `data:` URL.

    Making one never touches the network or a file, whatever the text: an address is
    passed on for the provider to fetch, and the path of a file is refused. What a
    model writes or a row of data holds can therefore not make you read a file. Bytes
    are encoded once; the repr shows their kind and size.

    Example:
        >>> Image("https://example.com/dog.png")
        Image(url='https://example.com/dog.png')
        >>> Image(b"GIF89a" + bytes(300))
        Image(url=data:image/gif;base64,<IMAGE_BASE_64_ENCODED(408)>)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str
    """An `http`, `https` or `gs` address, or a `data:` URL."""

    def __init__(self, source: Any = None, /, **fields: Any) -> None:
        """Make an image.

        Args:
            source: An address or a `data:` URL; the bytes of a picture file; a PIL
                image; a mapping `{"url": ...}`; another `Image`.
            fields: `url=` in place of a source, with the same meaning.

        Raises:
            ContentError: When the source is none of these, such as a local path.
        """
        if source is not None:
            _check_alone(fields)
            fields = {**fields, **_fields_of(source)}
        super().__init__(**fields)

    @classmethod
    def from_path(cls, file_path: str | Path) -> Image:
        """Read a picture from a file of this machine.

        Raises:
            ContentError: When there is no such file, or neither its name nor its
                bytes tell what it is.
        """
        return cls(_picture(_media.read_local(file_path), str(file_path)))

    @classmethod
    def from_file(cls, file_path: str | Path) -> Image:
        """Do the same as `from_path`, under DSPy's older name; it warns of that."""
        _media.warn_of_older_name("Image.from_file", "Image.from_path()")
        return cls.from_path(file_path)

    @classmethod
    def from_url(
        cls,
        url: str,
        verify: bool = True,  # noqa: FBT001, FBT002 - DSPy's signature
        timeout: float | None = 30.0,
    ) -> Image:
        """Download a picture and hold it as a `data:` URL.

        Any host is fetched, those of your own network too: check an address that comes
        from a stranger first.

        Args:
            url: An `http` or `https` address.
            verify: Whether to check the server's certificate.
            timeout: Seconds without a byte; `None` waits for ever.

        Raises:
            ContentError: When it cannot be fetched, or nothing tells what it is.
        """
        media = _media.download(url, verify=verify, timeout=timeout)
        return cls(_picture(media, url))

    @classmethod
    def from_PIL(cls, pil_image: Any) -> Image:  # noqa: N802 - DSPy's name
        """Do the same as `Image(pil_image)`, under DSPy's older name; it warns so."""
        _media.warn_of_older_name("Image.from_PIL", "Image(pil_image)")
        return cls(pil_image)

    def format(self) -> list[ContentPart]:
        """Return the picture as one content part."""
        return [{"type": "image_url", "image_url": {"url": self.url}}]

    @classmethod
    def read_value(cls, value: Any) -> Any:
        """Take whatever the constructor takes."""
        return _fields_of(value)

    @classmethod
    def from_parts(cls, parts: list[ContentPart]) -> Any:
        """Return the address in an `image_url` part."""
        match parts:
            case [{"type": "image_url", "image_url": {"url": str(url)}}]:
                return {"url": url}
        return super().from_parts(parts)

    def __repr__(self) -> str:
        head, is_inline, encoded = self.url.partition(";base64,")
        shown = (
            f"{head};base64,<IMAGE_BASE_64_ENCODED({len(encoded)})>"
            if is_inline
            else _media.shown(self.url)
        )
        return f"{type(self).__name__}(url={shown})"

    def __str__(self) -> str:
        return repr(self)


def _check_alone(fields: dict[str, Any]) -> None:
    if "url" in fields:
        message = "Image takes a source or url=, not both; leave one of them out."
        raise TypeError(message)
    if fields.keys() & {"download", "verify"}:
        message = (
            "Image takes no download= and no verify=; making one never touches the "
            "network. Write Image.from_url(url, verify=...) to download."
        )
        raise TypeError(message)


def _fields_of(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {**value, "url": encode_image(value["url"])} if "url" in value else value
    return {"url": encode_image(value)}


def encode_image(image: Any) -> str:
    """Return the address or the `data:` URL of an image, touching nothing outside.

    Args:
        image: What `Image(...)` takes.

    Raises:
        ContentError: When it is no image, such as a local path.
    """
    match image:
        case Image():
            return image.url
        case str():
            return _address(image.strip())
        case bytes():
            return _encoded(image)
        case {"url": url}:
            return encode_image(url)
    if callable(getattr(image, "save", None)) and hasattr(image, "format"):
        return _drawn(image)
    raise ContentError(
        f"a {type(image).__name__} is no image; expected an address, a data: URL, "
        "bytes, or a PIL image. Use Image.from_path() for a file."
    )


def _address(text: str) -> str:
    if text.startswith("data:") or _media.is_remote(text, ("http", "https", "gs")):
        return text
    raise ContentError(
        f"the text of {len(text)} characters is no address of an image; expected "
        "https://... or data:... . Use Image.from_path() for a file of this machine."
    )


def _encoded(content: bytes) -> str:
    media_type = _media.sniffed(content)
    if media_type is None:
        raise ContentError(
            f"{len(content):,} bytes are no picture of a known format; expected PNG, "
            "JPEG, GIF, WebP, BMP, TIFF, AVIF, HEIC or PDF. Convert them first."
        )
    return _media.Media(content=content, media_type=media_type).data_url


def _picture(media: _media.Media, origin: str) -> str:
    if media.media_type == _media.UNKNOWN:
        raise ContentError(
            f"nothing tells what stands at {origin!r}; expected a picture with its "
            "ending, or of a known format. Rename or convert it."
        )
    return media.data_url


def _drawn(image: Any) -> str:
    """Encode a PIL image, told by its methods so that Pillow is never imported here."""
    kind = image.format or "PNG"
    file = io.BytesIO()
    image.save(file, format=kind)
    media_type = _media.sniffed(file.getvalue()) or f"image/{kind.lower()}"
    return _media.Media(content=file.getvalue(), media_type=media_type).data_url
