"""How the model server is started: its command line, environment and ready line.

Pure values; whoever supervises the process uses them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dspex.client.local import server_program
from dspex.core.errors import ConfigurationError

Template = Literal["plain", "model"]
"""Whose chat template is used: ours for base models, or the one in the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """What the model server needs to know before it starts."""

    model: Path
    """The GGUF file."""
    alias: str
    """The model's name for callers."""
    template: Template = "model"
    """`plain` for a base model, which has no chat format of its own."""
    slots: int = 4
    """Answers at once; more requests than that wait in the server."""
    context: int = 8192
    """Tokens for prompt and answer, divided evenly among the slots."""
    max_tokens: int | None = None
    """Where an answer ends when the caller set no limit; `None` for the context."""
    threads: int | None = None
    """Threads that compute; `None` for one per processor this process may use."""

    def __post_init__(self) -> None:
        """Check the numbers, which end on a command line."""
        for name in ("slots", "context", "max_tokens", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigurationError(
                    f"the model server got {name}={value!r}; it must be at least 1. "
                    f"Leave {name} out for the default."
                )

    @property
    def context_per_slot(self) -> int:
        """Tokens one prompt and its answer may have together."""
        return self.context // self.slots

    def command(self) -> tuple[str, ...]:
        """Say which program to run.

        `-P` keeps Python from importing modules that lie in the user's folder or
        beside the program.
        """
        options = {
            "--model": str(self.model),
            "--alias": self.alias,
            "--template": self.template,
            "--slots": str(self.slots),
            "--context": str(self.context),
            "--max-tokens": str(self.max_tokens or -1),
            "--threads": str(self.threads or usable_processors()),
        }
        program = str(Path(server_program.__file__))
        words = [word for option in options.items() for word in option]
        return (sys.executable, "-P", program, *words)

    def environment(self, api_key: str, env: Mapping[str, str]) -> dict[str, str]:
        """Add the server's key to an environment; the key is in no argument."""
        return {**env, server_program.API_KEY_VARIABLE: api_key}


def read_ready_line(line: bytes) -> str | None:
    """Read the address out of the server's first line of output.

    Returns:
        The base address, such as `http://127.0.0.1:40123`, or `None` when the line
        is not the ready line, which means that the start went wrong.
    """
    try:
        ready = json.loads(line)
    except ValueError:
        return None
    address = ready.get("address") if isinstance(ready, dict) else None
    return address if isinstance(address, str) else None


def usable_processors() -> int:
    """Count the processors this process may run on."""
    allowed = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(allowed(0)) if allowed else os.cpu_count() or 1
