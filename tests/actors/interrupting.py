"""Ctrl-C at a chosen moment of an optimiser's work."""

from __future__ import annotations

import pytest

from dspex.teleprompt.studies import conducting
from dspex.teleprompt.studies.study_line import StudyLine
from dspex.testing import FakeProvider

PATIENCE = 20.0
"""Seconds after which a call that should have come counts as missing."""


def after(calls: int, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Ctrl-C come once so many calls were made."""

    def interrupt(self: StudyLine) -> None:
        provider.wait_for_bill(calls, PATIENCE)
        raise KeyboardInterrupt

    monkeypatch.setattr(StudyLine, "__call__", interrupt)
    # However quick the search is, its owner looks before it ends.
    monkeypatch.setattr(conducting, "TICK", 0.001)
