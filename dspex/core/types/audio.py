"""`Audio`: a sound as a field's value."""

from __future__ import annotations

import base64
import io
import wave
from array import array
from pathlib import Path
from typing import Any, Final

from pydantic import ConfigDict

from dspex.core.errors import ContentError
from dspex.core.types import _media
from dspex.core.types.base import ContentPart, Type

SAMPLING_RATE: Final = 16_000
"""Samples in a second of an array, unless said otherwise."""

_LOUDEST: Final = 32_767


class Audio(Type):
    """A sound: its bytes as base64, and their format.

    Making one never touches a file or the network; `from_path` and `from_url` do,
    because they are asked to by name. The repr shows the size, never the bytes.

    Example:
        >>> Audio(b"RIFF....", audio_format="wav")
        Audio(data=<AUDIO_BASE_64_ENCODED(12)>, audio_format='wav')
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    data: str
    """The bytes of a sound file, as base64 text."""
    audio_format: str
    """Their format, such as "wav" or "mp3"."""

    def __init__(self, source: Any = None, /, **fields: Any) -> None:
        """Make a sound.

        Args:
            source: A `data:audio/...` URL; the bytes of a sound file; samples (an array
                or a list of numbers); a mapping of the fields; another `Audio`.
            fields: `audio_format` of bytes ("wav" unless given), `sampling_rate` of
                samples (16,000 in a second unless given), or the fields themselves.

        Raises:
            ContentError: When the source is none of these, such as a local path.
        """
        super().__init__(**(fields if source is None else _fields_of(source, fields)))

    @classmethod
    def from_path(cls, file_path: str | Path) -> Audio:
        """Read a sound file of this machine; its name tells the format."""
        return cls._of(_media.read_local(file_path), str(file_path))

    @classmethod
    def from_file(cls, file_path: str | Path) -> Audio:
        """Do the same as `from_path`, under DSPy's older name; it warns of that."""
        _media.warn_of_older_name("Audio.from_file", "Audio.from_path()")
        return cls.from_path(file_path)

    @classmethod
    def from_url(
        cls,
        url: str,
        verify: bool = True,  # noqa: FBT001, FBT002 - DSPy's signature
        timeout: float | None = 30.0,
    ) -> Audio:
        """Download a sound file; any host is fetched, see `Image.from_url`."""
        return cls._of(_media.download(url, verify=verify, timeout=timeout), url)

    @classmethod
    def from_array(
        cls,
        array: Any,
        sampling_rate: int,
        format: str = "wav",  # noqa: A002 - DSPy's
    ) -> Audio:
        """Encode samples as a WAV file of 16 bits.

        Args:
            array: Samples from -1.0 to 1.0, or 16-bit integers; one row per moment for
                several channels. An array of numpy, or lists.
            sampling_rate: Samples in a second.
            format: "wav"; no other format is made here.
        """
        if format.lower() != "wav":
            raise ContentError(
                f"samples cannot be written as {format!r} here; expected 'wav'. Encode "
                "them with a sound library and pass the bytes."
            )
        samples = array.tolist() if hasattr(array, "tolist") else list(array)
        content = _wav(samples, sampling_rate)
        return cls(data=base64.b64encode(content).decode("ascii"), audio_format="wav")

    @classmethod
    def _of(cls, media: _media.Media, origin: str) -> Audio:
        kind, _, audio_format = media.media_type.partition("/")
        if kind != "audio":
            raise ContentError(
                f"what stands at {origin!r} is {media.media_type}; expected audio. "
                "Pass its bytes with audio_format= if it is a sound all the same."
            )
        return cls(data=media.base64, audio_format=audio_format.removeprefix("x-"))

    def format(self) -> list[ContentPart]:
        """Return the sound as one content part."""
        sound = {"data": self.data, "format": self.audio_format}
        return [{"type": "input_audio", "input_audio": sound}]

    @classmethod
    def read_value(cls, value: Any) -> Any:
        """Take whatever the constructor takes."""
        return _fields_of(value, {})

    @classmethod
    def from_parts(cls, parts: list[ContentPart]) -> Any:
        """Return the fields of an `input_audio` part."""
        match parts:
            case [{"input_audio": {"data": str(data), "format": str(kind)}}]:
                return {"data": data, "audio_format": kind}
        return super().from_parts(parts)

    def __repr__(self) -> str:
        size = f"<AUDIO_BASE_64_ENCODED({len(self.data)})>"
        return f"{type(self).__name__}(data={size}, audio_format={self.audio_format!r})"

    def __str__(self) -> str:
        return repr(self)


def _fields_of(source: Any, given: dict[str, Any]) -> dict[str, Any]:
    rate, named = given.get("sampling_rate"), given.get("audio_format")
    is_array = hasattr(source, "shape") or isinstance(source, list)
    carries_format = isinstance(source, Audio | str | dict)
    if "data" in given or (rate is not None and not is_array):
        wrong = "data" if "data" in given else "sampling_rate"
        message = f"{wrong} does not go with this source of a sound; leave it out."
        raise TypeError(message)
    if named is not None and carries_format and not _is_address(source):
        message = "the source already carries its format; leave audio_format out."
        raise TypeError(message)
    return encode_audio(source, rate or SAMPLING_RATE, named or "wav")


def _is_address(source: Any) -> bool:
    return isinstance(source, str) and not source.startswith("data:")


def encode_audio(
    audio: Any,
    sampling_rate: int = SAMPLING_RATE,
    format: str = "wav",  # noqa: A002 - DSPy's
) -> dict[str, Any]:
    """Return the fields of an `Audio`, touching nothing outside.

    Args:
        audio: What `Audio(...)` takes as its source.
        sampling_rate: Samples in a second, for samples.
        format: The format of bytes.

    Raises:
        ContentError: When it is no sound, such as a local path.
    """
    match audio:
        case Audio():
            return {"data": audio.data, "audio_format": audio.audio_format}
        case dict():
            return audio
        case bytes():
            return {"data": base64.b64encode(audio).decode(), "audio_format": format}
        case str():
            return _of_data_url(audio)
    if hasattr(audio, "shape") or isinstance(audio, list):
        return encode_audio(Audio.from_array(audio, sampling_rate, format))
    raise ContentError(
        f"a {type(audio).__name__} is no sound; expected bytes, samples or a data: "
        "URL. Use Audio.from_path() for a file."
    )


def _of_data_url(text: str) -> dict[str, Any]:
    header, comma, data = text.partition(",")
    media_type = header.removeprefix("data:").partition(";")[0]
    kind, _, audio_format = media_type.partition("/")
    if not (text.startswith("data:") and comma and kind == "audio" and audio_format):
        raise ContentError(
            f"a text of {len(text)} characters is no sound; expected data:audio/... . "
            "Use Audio.from_path() for a file of this machine, Audio.from_url() for an "
            "address."
        )
    return {"data": data, "audio_format": audio_format.removeprefix("x-")}


def _wav(samples: list[Any], sampling_rate: int) -> bytes:
    rows = [row if isinstance(row, list) else [row] for row in samples]
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(len(rows[0]) if rows else 1)
        writer.setsampwidth(2)
        writer.setframerate(sampling_rate)
        writer.writeframes(array("h", (_level(one) for row in rows for one in row)))
    return file.getvalue()


def _level(sample: Any) -> int:
    scaled = round(sample * _LOUDEST) if isinstance(sample, float) else int(sample)
    return max(-_LOUDEST - 1, min(_LOUDEST, scaled))
