"""The base of all errors, apart from them so that each group can be a module."""

from __future__ import annotations

from typing import Any


class DspexError(Exception):
    """Base of every error dspex raises on purpose."""

    code: str = "dspex_error"
    """A word for the kind of error that never changes, for logs and dashboards; DSPy's
    word where DSPy has one."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message

    def __reduce__(self) -> tuple[Any, ...]:
        # Python would call the class with the text alone, and many want facts as well:
        # an error that leaves a worker process would end the whole pool with another.
        return _again, (type(self), self.args), self.__dict__


def _again(kind: type[DspexError], args: tuple[Any, ...]) -> DspexError:
    """Make an error once more; its attributes are put into it afterwards."""
    error = kind.__new__(kind, *args)
    error.args = args
    return error
