"""What a caller gave is wrong: a setting, a signature, a row, an input."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dspex.core.errors.base import DspexError


class ConfigurationError(DspexError, ValueError):
    """A setting is missing or makes no sense; raised before any work starts."""

    code = "configuration"


class LMNotConfiguredError(ConfigurationError):
    """A model has no key; raised at its first call, for it may be set until then."""

    code = "not_configured"


class MetricArgumentsError(ConfigurationError, TypeError):
    """A metric does not take what an optimiser calls it with."""

    code = "metric_arguments"


class SignatureError(DspexError, ValueError):
    """The text or class of a signature is wrong."""

    code = "signature"


class DataError(DspexError, ValueError):
    """A data file or a row of it cannot be read.

    Attributes:
        path: The file, or `None` for rows that came from memory.
        line: The line in the file, counted from 1, or `None`.
        rows: An error for each row, where several cannot be read; of very many, those
            that come first.
    """

    code = "data"

    def __init__(
        self,
        message: str,
        *,
        path: Path | None = None,
        line: int | None = None,
        rows: Sequence[DataError] = (),
    ) -> None:
        super().__init__(message)
        self.path = path
        self.line = line
        self.rows = tuple(rows)


class MissingFileError(DataError, FileNotFoundError):
    """There is no such file or folder."""

    code = "missing_file"


class MissingInputError(DspexError, ValueError):
    """A program was called without one of its declared inputs.

    Attributes:
        missing: The names that were not given.
    """

    code = "missing_input"

    def __init__(self, message: str, *, missing: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.missing = missing


class UnexpectedInputError(DspexError, ValueError):
    """A predictor was called with a name that is no input of its signature.

    Attributes:
        unexpected: The names that were given.
        known: The inputs of the signature.
    """

    def __init__(
        self, message: str, *, unexpected: tuple[str, ...], known: tuple[str, ...]
    ) -> None:
        super().__init__(message)
        self.unexpected = unexpected
        self.known = known


class ContentError(DspexError, ValueError):
    """What was given as a picture, a file or a sound cannot be sent as one."""


class ToolArgumentError(DspexError, ValueError):
    """A tool was called with arguments it does not take.

    Attributes:
        tool: The tool's name.
        arguments: The names of the arguments that are wrong, unknown or missing.
    """

    def __init__(self, message: str, *, tool: str, arguments: tuple[str, ...]) -> None:
        super().__init__(message)
        self.tool = tool
        self.arguments = arguments
