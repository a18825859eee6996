"""Reading JSON that somebody else wrote, and writing what somebody else will read.

The standard reader takes more than JSON is: numbers that are none, a key given twice,
half a character. Here each of these is an error, so what was read can be trusted and
written again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any, NoReturn


class JsonError(ValueError):
    """A body is not the JSON it should be; the text says why, as a clause."""


def read_json(body: bytes) -> Any:
    r"""Read a body. A byte order mark in front of it is no harm.

    Raises:
        JsonError: When it is no JSON in UTF-8, is nested too deeply, names a key twice
            in one object, or holds a number or a character that cannot exist.

    Example:
        >>> read_json(b'{"text": "Lima"}')
        {'text': 'Lima'}
        >>> read_json(b'{"text": NaN}')
        Traceback (most recent call last):
        dspex.client.providers.json_body.JsonError: it holds NaN, which is no JSON
    """
    try:
        value = _DECODER.decode(body.removeprefix(_BYTE_ORDER_MARK).decode())
    except JsonError:
        raise
    except RecursionError:
        raise JsonError("it is nested too deeply") from None
    except ValueError:
        raise JsonError("it is not JSON") from None
    # Only an escape such as \ud800 can bring half a character into valid UTF-8.
    if b"\\ud" in body.lower() and not _is_unicode(value):
        raise JsonError("it holds half a character (a lone surrogate)")
    return value


def read_object(body: bytes) -> Mapping[str, Any]:
    """Read a body that has to be a JSON object.

    Raises:
        JsonError: As for `read_json`, and when it is JSON of another kind.
    """
    value = read_json(body)
    if not isinstance(value, dict):
        raise JsonError("it is JSON, but not an object")
    return value


def write_json(value: object) -> bytes:
    """Write a value in as few bytes as it takes.

    Raises:
        JsonError: When it cannot be written as JSON.
    """
    try:
        return _ENCODER.encode(value).encode()
    except (TypeError, ValueError, RecursionError):
        raise JsonError("it cannot be written as JSON") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise JsonError("it names a key twice in one object")
    return value


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise JsonError("it holds a number too large to exist")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise JsonError(f"it holds {name}, which is no JSON")


def _is_unicode(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_DECODER = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_object
)
