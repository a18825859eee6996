"""The base of all errors, apart from them so that each group can be a module."""

from __future__ import annotations


class DspexError(Exception):
    """Base of every error dspex raises on purpose."""

    code: str = "dspex_error"
    """A word for the kind of error that never changes, for logs and dashboards; DSPy's
    word where DSPy has one."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message
