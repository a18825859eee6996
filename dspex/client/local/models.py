"""What stands behind a model string that begins with `local/`.

`gemma-3-270m` is the model that the extra `demo` installs; anything else is the path of
a GGUF file.
"""

from __future__ import annotations

import importlib.util
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dspex.client.local.assembly import assemble
from dspex.client.local.settings import ServerSettings, Template
from dspex.client.local.weights import GEMMA_3_270M, Weights, locate_parts
from dspex.core.errors import ConfigurationError

_MAGIC = b"GGUF"
_HEADER = 64 * 1024 * 1024
_NAME = b"tokenizer.chat_template"
# A key is its length, its bytes, and the type of its value; 8 is a string.
_TEMPLATE_KEY = struct.pack("<Q", len(_NAME)) + _NAME + struct.pack("<I", 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """A model that a server on this machine can serve."""

    alias: str
    """The model's name for callers."""
    source: Path | Weights
    """A GGUF file, or weights that are put together before the first start."""
    template: Template
    """`plain` for a base model, which has no chat format of its own."""
    adapter: Literal["line", "chat"]
    """The adapter that suits the model."""
    slots: int = 4
    """Answers at once."""
    context: int = 8192
    """Tokens for prompt and answer, divided evenly among the slots."""

    max_tokens: int | None = None
    """Where an answer ends when the caller set no limit; `None` for the context."""

    def is_ready(self, home: Path) -> bool:
        """Say whether the file is there, so that a start takes seconds only."""
        return self.path(home).is_file()

    def path(self, home: Path) -> Path:
        """Say where the file is, or will be, when dspex keeps its files in `home`."""
        if isinstance(self.source, Weights):
            return home / "models" / self.source.file
        return self.source

    def prepare(self, home: Path) -> ServerSettings:
        """Put the file together when needed, and say how to serve it.

        It may take seconds and blocks; call it before the server starts, away from
        any actor that must answer.

        Raises:
            ConfigurationError: When the weights or the server are not installed, or
                the file cannot be written.
        """
        require_server()
        if isinstance(self.source, Weights):
            assemble(self.source, home / "models")
        return ServerSettings(
            model=self.path(home),
            alias=self.alias,
            template=self.template,
            slots=self.slots,
            context=self.context,
            max_tokens=self.max_tokens,
        )

    def announce(self, home: Path) -> str:
        """Write the line a person reads before the first start."""
        if not isinstance(self.source, Weights):
            size = self.source.stat().st_size / 1e6
            return f"{self.source.name}: {size:,.0f} MB, served on this machine."
        package = locate_parts(self.source)[0].parents[2] / self.source.terms
        return (
            f"{self.source.title}: use is subject to the {self.source.terms_name} "
            f"({package}); {self.source.size / 1e6:,.0f} MB of disk in "
            f"{home / 'models'}, up to {self.source.memory / 1e9:.1f} GB of memory."
        )


# A base model seldom stops by itself: without a limit it would fill its context, which
# takes longer than a caller waits.
_PLAIN_MAX_TOKENS = 256

KNOWN = {
    "gemma-3-270m": LocalModel(
        alias="gemma-3-270m",
        source=GEMMA_3_270M,
        template="plain",
        adapter="line",
        max_tokens=_PLAIN_MAX_TOKENS,
    )
}
"""The models that can be named without a path."""


def resolve_local(name: str) -> LocalModel:
    """Find the model that `local/NAME` means; starts and writes nothing.

    A GGUF file with a chat template of its own is served with it and spoken to through
    the chat adapter; one without is a base model, and gets plain turns and lines.

    Args:
        name: A known name, or the path of a GGUF file, without the `local/`.

    Raises:
        ConfigurationError: When there is no such model or file, the file is not GGUF,
            or an extra is not installed; the text holds the line that installs it.
    """
    require_server()
    known = KNOWN.get(name)
    if known is None:
        return _model_in(Path(name).expanduser())
    if isinstance(known.source, Weights):
        locate_parts(known.source)
    return known


def require_server() -> None:
    """Check, without loading it, that the package which serves models is there.

    Raises:
        ConfigurationError: When it is not, with the line that installs it.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise ConfigurationError(
            "models on this machine are served by the package 'xllamacpp', which is "
            "not installed. It comes with the extra 'local'. "
            "Install it: pip install 'dspex[local]'"
        )


def _model_in(path: Path) -> LocalModel:
    known = ", ".join(repr(f"local/{name}") for name in KNOWN)
    if not path.is_file():
        raise ConfigurationError(
            f"there is no local model {str(path)!r}: it is neither a known name nor a "
            f"file here. Known: {known}. For a model of your own give the path of its "
            f"GGUF file: 'local/path/to/model.gguf'."
        )
    if _starts_with(path) != _MAGIC:
        raise ConfigurationError(
            f"{str(path)!r} is not a GGUF file; a GGUF file begins with the letters "
            f"GGUF. Download it again, or convert the model to GGUF with llama.cpp."
        )
    instructed = _has_chat_template(path)
    return LocalModel(
        alias=path.stem,
        source=path.absolute(),
        template="model" if instructed else "plain",
        adapter="chat" if instructed else "line",
        max_tokens=None if instructed else _PLAIN_MAX_TOKENS,
    )


def _starts_with(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(_MAGIC))


def _has_chat_template(path: Path) -> bool:
    """Look for the template among the file's keys, which come before its tensors."""
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return content.find(_TEMPLATE_KEY, 0, min(len(content), _HEADER)) >= 0
