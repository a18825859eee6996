"""The file of a recording: JSON Lines that people can read, and no secret in them.

The first line names the model; each further line is a request and its reply. Pure but
for reading and appending.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from dspex.cache.entry import dump_reply, load_reply
from dspex.cache.explain import differences
from dspex.cache.key import canonical, digest
from dspex.core.chat import turn_of
from dspex.core.errors import ConfigurationError, DataError
from dspex.core.lm import Message, Reply
from dspex.core.setting_names import not_settings

VERSION: Final = 1
"""Of the file's format."""
LONGEST_PICTURE: Final = 1_000
"""Characters from which a `data:` URL stands in a recording by its digest."""

_NO_RECORDING = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What comes of reading something else."""


class NotRecordedError(ConfigurationError, LookupError):
    """A request is not in the recording, or was asked more often than recorded.

    Attributes:
        path: The recording.
        differences: In what the request differs from the nearest one recorded, a line
            each; what was said is told by its place alone.
    """

    def __init__(
        self, message: str, *, path: Path, differences: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.path = path
        self.differences = differences


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a recording says of the model that was asked."""

    model: str
    """The model string as the user wrote it."""
    adapter: str | None = None
    """The adapter the model wants."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The model's own settings."""
    supports: tuple[str, ...] = ()
    """What the model can do, which decides how adapters ask."""


class Tape:
    """The requests and replies of one file.

    Any thread may take a reply or add one.

    Args:
        path: The file.
        head: Of a recording that begins; the file is written anew at the first reply.
            `None` reads the file.

    Raises:
        ConfigurationError: There is no such file.
        DataError: It is no recording; the line is named.
    """

    def __init__(self, path: Path, head: Head | None = None) -> None:
        self.path = path
        self._begun = False
        self._requests: dict[str, dict[str, Any]] = {}
        self._replies: dict[str, deque[Reply]] = defaultdict(deque)
        # Protects the replies that are left, and the order of lines in the file.
        self._lock = threading.Lock()
        self.head = self._read() if head is None else head

    @property
    def unused(self) -> int:
        """Replies that nobody has asked for yet."""
        with self._lock:
            return sum(map(len, self._replies.values()))

    def take(self, messages: Sequence[Message], settings: Mapping[str, Any]) -> Reply:
        """Return the next reply to a request.

        Raises:
            NotRecordedError: There is none.
        """
        asked = request_of(messages, settings)
        key = canonical(asked)
        with self._lock:
            if self._replies.get(key):
                return self._replies[key].popleft()
        raise self._not_recorded(key, asked)

    def add(
        self, messages: Sequence[Message], settings: Mapping[str, Any], reply: Reply
    ) -> None:
        """Append a reply to the file."""
        # What differs from one recording to the next says nothing about the program.
        told = reply.with_changes(
            latency=0.0, attempts=1, cached=False, request_id=None
        )
        line = {
            "request": request_of(messages, settings),
            "reply": json.loads(dump_reply(told)),
        }
        with self._lock:
            if not self._begun:
                self._begin()
            with self.path.open("a", encoding="utf-8", newline="\n") as file:
                file.write(_written(line))

    def _begin(self) -> None:
        head = {"recording": VERSION, **asdict(self.head)}
        head["settings"] = _without_secrets(self.head.settings)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("w", encoding="utf-8", newline="\n") as file:
            file.write(_written(head))
        self._begun = True

    def _read(self) -> Head:
        if not self.path.exists():
            raise ConfigurationError(
                f"there is no recording {str(self.path)!r}; a file was expected that "
                "was recorded before. Record it once: Recorded(path, lm, record=True)."
            )
        # Only "\n" ends a line: a text may hold what else Python takes for an end.
        lines = self.path.read_bytes().split(b"\n")
        try:
            head = _head(json.loads(lines[0]))
        except _NO_RECORDING as error:
            raise self._damaged(1) from error
        for number, line in enumerate(lines[1:], start=2):
            try:
                if line:
                    self._remember(json.loads(line))
            except _NO_RECORDING as error:
                raise self._damaged(number) from error
        return head

    def _remember(self, entry: Mapping[str, Any]) -> None:
        key = canonical(entry["request"])
        self._requests[key] = entry["request"]
        self._replies[key].append(load_reply(json.dumps(entry["reply"])))

    def _damaged(self, number: int) -> DataError:
        return DataError(
            f"line {number} of {str(self.path)!r} is not of a recording; expected JSON "
            "as Recorded writes it. Record again with record=True.",
            path=self.path,
        )

    def _not_recorded(self, key: str, asked: dict[str, Any]) -> NotRecordedError:
        again = "Ask as before, or record again with record=True."
        if key in self._requests:
            return NotRecordedError(
                f"a request was asked more often than {str(self.path)!r} has replies "
                f"to it; each recorded reply is given once. {again}",
                path=self.path,
            )
        compared = [differences(asked, one) for one in self._requests.values()]
        nearest = min(compared, key=_distance, default=())
        told = "".join(f"\n  {line}" for line in nearest) or "\n  nothing is recorded"
        return NotRecordedError(
            f"a request is not in {str(self.path)!r}; the nearest one recorded (there) "
            f"differs from it (here) in:{told}\n{again}",
            path=self.path,
            differences=nearest,
        )


def request_of(
    messages: Sequence[Message], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what makes two requests the same, as JSON values."""
    told = {
        "messages": [turn_of(message) for message in messages],
        "settings": _without_secrets(settings),
    }
    return dict(json.loads(json.dumps(_small(told), default=repr)))


def _head(told: dict[str, Any]) -> Head:
    if told.pop("recording") != VERSION:
        message = "another version"
        raise ValueError(message)
    if not (isinstance(told["model"], str) and isinstance(told["settings"], dict)):
        message = "no model, or no settings"
        raise TypeError(message)
    if not isinstance(told["adapter"], str | None):
        message = "no name of an adapter"
        raise TypeError(message)
    if told["settings"].keys() & {"adapter", "cache", "model"}:
        message = "settings that are none"
        raise ValueError(message)
    return Head(**{**told, "supports": tuple(told["supports"])})


def _without_secrets(settings: Mapping[str, Any]) -> dict[str, Any]:
    # `cache` says how one call is made, not what is asked.
    wrong = {"cache", *not_settings(settings)}
    return {name: value for name, value in settings.items() if name not in wrong}


def _small(value: Any) -> Any:
    """Replace pictures and files inside a request by their digests."""
    match value:
        case str() if len(value) > LONGEST_PICTURE and value.startswith("data:"):
            kind = value.partition(",")[0]
            return f"{kind},sha256:{digest(value)}"
        case Mapping():
            return {name: _small(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_small(inner) for inner in value]
        case _:
            return value


def _written(value: Mapping[str, Any]) -> str:
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        # Half characters are no UTF-8, and this line is then less readable.
        text = json.dumps(value)
    return f"{text}\n"


def _distance(found: tuple[str, ...]) -> int:
    """How far two requests are apart; another chat is further than another setting."""
    return len(found) + sum(line.startswith("messages") for line in found)
