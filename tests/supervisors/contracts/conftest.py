"""Every test of a contract runs once for each place an actor may live in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.supervisors.contracts.homes import Loops, Threads


@pytest.fixture(params=[Threads, Loops], ids=lambda home: str(home.name))
def home(request: pytest.FixtureRequest) -> Iterator[Threads]:
    home: Threads = request.param()
    yield home
    home.close()
