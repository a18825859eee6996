"""`File`: a document as a field's value."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from pydantic import ConfigDict

from dspex.core.errors import ContentError
from dspex.core.types import _media
from dspex.core.types.base import ContentPart, Type

KEYS: Final = ("file_data", "file_id", "filename")
"""The fields of a file, in the order they are written."""


class File(Type):
    """A document, such as a PDF: its bytes, or the id of one that was uploaded.

    Making one never touches a file or the network; `from_path` reads, because it is
    asked to by name. The repr shows the kind and size, never the bytes.

    Example:
        >>> File.from_bytes(b"hello", filename="a.txt", mime_type="text/plain")
        File(file_data=<DATA_URI(text/plain, 8 chars)>, filename='a.txt')
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    file_data: str | None = None
    """The bytes as a `data:` URL."""
    file_id: str | None = None
    """The provider's id of a file that was uploaded before."""
    filename: str | None = None
    """The name the model is told."""

    def __init__(self, source: Any = None, /, **fields: Any) -> None:
        """Make a file.

        Args:
            source: Bytes; a `data:` URL; a mapping of the fields; another `File`.
            fields: The fields, in place of a source or beside it.

        Raises:
            ContentError: When the source is none of these, such as a local path.
        """
        if source is not None:
            made = encode_file_to_dict(source)
            if twice := sorted(made.keys() & fields.keys()):
                message = (
                    f"File got {', '.join(twice)} from its source and as keywords; "
                    "leave one of them out."
                )
                raise TypeError(message)
            fields = {**made, **fields}
        super().__init__(**fields)

    @classmethod
    def from_path(
        cls,
        file_path: str | Path,
        filename: str | None = None,
        mime_type: str | None = None,
    ) -> File:
        """Read a file of this machine.

        Args:
            file_path: The file.
            filename: The name the model is told; the file's own when left out.
            mime_type: Its media type; told by name and content when left out.

        Raises:
            ContentError: When there is no such file.
        """
        media = _media.read_local(file_path, mime_type)
        return cls(file_data=media.data_url, filename=filename or Path(file_path).name)

    @classmethod
    def from_bytes(
        cls,
        file_bytes: bytes,
        filename: str | None = None,
        mime_type: str = _media.UNKNOWN,
    ) -> File:
        """Hold bytes as a file."""
        media = _media.Media(content=file_bytes, media_type=mime_type)
        return cls(file_data=media.data_url, filename=filename)

    @classmethod
    def from_file_id(cls, file_id: str, filename: str | None = None) -> File:
        """Name a file that was uploaded to the provider before."""
        return cls(file_id=file_id, filename=filename)

    def format(self) -> list[ContentPart]:
        """Return the file as one content part."""
        return [{"type": "file", "file": _given(self)}]

    @classmethod
    def read_value(cls, value: Any) -> Any:
        """Take whatever the constructor takes."""
        return encode_file_to_dict(value)

    @classmethod
    def from_parts(cls, parts: list[ContentPart]) -> Any:
        """Return the fields of a `file` part."""
        match parts:
            case [{"type": "file", "file": dict(fields)}]:
                return fields
        return super().from_parts(parts)

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{key}={_media.shown(value)}" for key, value in _given(self).items()
        )
        return f"{type(self).__name__}({shown})"

    def __str__(self) -> str:
        return repr(self)


def _given(file: File) -> dict[str, str]:
    values = {key: getattr(file, key) for key in KEYS}
    return {key: value for key, value in values.items() if value}


def encode_file_to_dict(file_input: Any) -> dict[str, Any]:
    """Return the fields of a `File`, touching nothing outside.

    Args:
        file_input: What `File(...)` takes as its source.

    Raises:
        ContentError: When it is no file, such as a local path.
    """
    match file_input:
        case File():
            return _given(file_input)
        case dict() if file_input.keys() & set(KEYS):
            return file_input
        case bytes():
            media = _media.Media(content=file_input, media_type=_media.UNKNOWN)
            return {"file_data": media.data_url}
        case str() if file_input.startswith("data:"):
            return {"file_data": file_input}
    raise ContentError(
        f"this {type(file_input).__name__} is no file; expected bytes, a data: URL, "
        f"or a mapping, which must contain at least one of {', '.join(KEYS)}. Use "
        "File.from_path() for a file of this machine."
    )
