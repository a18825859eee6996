"""What the tests of telemetry share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry import trace

from tests.telemetry.sdk import Sdk


@pytest.fixture
def sdk() -> Iterator[Sdk]:
    """An SDK to which dspex records; no span is current when the test has ended."""
    made = Sdk()
    handle = made.instrument()
    yield made
    handle.uninstrument()
    assert trace.get_current_span() is trace.INVALID_SPAN
