"""What every test lives in: a folder of its own, and no actor left behind."""

from __future__ import annotations

import itertools
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

import dspex
from dspex.core import callbacks, spawner
from dspex.core.types.tool import Tool
from dspex.programs import ambient, state
from supervisors.testing import assert_no_actor_left, living

# A busy machine is slow without anything being wrong, and a failure must be repeatable
# from what it prints alone.
settings.register_profile("dspex", deadline=None, print_blob=True, database=None)
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
def _own_home(
    request: pytest.FixtureRequest, _homes: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Nothing is written to the user's folders, and no test finds another's answers."""
    if request.node.get_closest_marker("model") is None:
        # It is made by whoever writes to it.
        monkeypatch.setenv("DSPEX_HOME", str(_homes / f"{next(_numbers)}"))
    yield
    shutil.rmtree(_homes / "model" / "cache", ignore_errors=True)


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_works() -> None:
    """A shell starts background jobs with SIGINT ignored, and children inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _layers_joined() -> None:
    """The layers are joined when a program is first looked up, and stay so."""
    dspex._join_layers()


@pytest.fixture(autouse=True)
def _nothing_left_set(_layers_joined: None) -> Iterator[None]:
    """What a test sets for the whole process it also takes back."""
    before = _set_for_all()

    yield

    after = _set_for_all()
    left = [name for name, value in before.items() if after[name] != value]
    assert not left, f"the test left changed: {', '.join(left)}; put it back"


def _set_for_all() -> dict[str, Any]:
    return {
        "the settings (configure)": ambient(),
        "who makes saved models (use_lm_factory)": state._lm_factory,
        "who runs work side by side (use_spawner)": spawner._make,
        "the global callbacks (use_global_callbacks)": callbacks._everywhere,
        "what surrounds a tool's calls (use_tool_runner)": Tool.runner,
    }


@pytest.fixture(autouse=True)
def _no_actor_left_alive() -> Iterator[None]:
    """What a test starts it also ends; actors of wider fixtures may live on."""
    before = living()

    yield

    assert_no_actor_left(besides=before)
