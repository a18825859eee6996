"""What every test lives in: a folder of its own, and no actor left behind."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from supervisors.testing import assert_no_actor_left, living

# A busy machine is slow without anything being wrong, and a failure must be repeatable
# from what it prints alone.
# CI has time for this many of each; `DSPEX_EXAMPLES=1000 pytest tests/properties` has
# patience.
settings.register_profile(
    "dspex",
    deadline=None,
    print_blob=True,
    database=None,
    max_examples=int(os.environ.get("DSPEX_EXAMPLES", "50")),
)
settings.load_profile("dspex")
# For runs that only ask whether a test fails: the same examples each time, and no
# minutes spent on making a failing one small.
settings.register_profile(
    "mutation",
    settings.get_profile("dspex"),
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
)

_numbers = itertools.count(1)


@pytest.fixture(autouse=True, scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the tests' homes are; one assembled model serves all that need it."""
    homes = tmp_path_factory.mktemp("dspex-homes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DSPEX_HOME", str(homes / "model"))
        yield homes


@pytest.fixture(autouse=True)
def _own_home(request: pytest.FixtureRequest, _homes: Path) -> Iterator[None]:
    """Nothing is written to the user's folders, and no test finds another's answers."""
    # A patch of its own: the shared one is undone last, after all that a test asks for.
    with pytest.MonkeyPatch.context() as patch:
        # Nobody's own configuration counts either.
        patch.setenv("XDG_CONFIG_HOME", str(_homes / "nobody"))
        if request.node.get_closest_marker("model") is None:
            # It is made by whoever writes to it.
            patch.setenv("DSPEX_HOME", str(_homes / f"{next(_numbers)}"))
        yield
    shutil.rmtree(_homes / "model" / "cache", ignore_errors=True)


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_works() -> None:
    """A shell starts background jobs with SIGINT ignored, and children inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_actor_left_alive() -> Iterator[None]:
    """What a test starts it also ends; actors of wider fixtures may live on."""
    before = living()

    yield

    assert_no_actor_left(besides=before)
