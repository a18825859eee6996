from collections.abc import Iterator

import pytest

from dspex.programs import ambient, configure


@pytest.fixture(autouse=True)
def default_settings() -> Iterator[None]:
    """Put the process's settings back after each test."""
    before = ambient()
    yield
    configure(**{name: getattr(before, name) for name in before.__slots__})
