"""The ten lines of the design, inside a running event loop and in IPython."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("way", ["loop", "ipython"])
def test_the_ten_lines_run_inside_a_running_loop(way: str, tmp_path: Path) -> None:
    if way == "ipython" and importlib.util.find_spec("IPython") is None:
        pytest.skip("IPython is not installed")

    ended = subprocess.run(
        [sys.executable, "-m", "tests.actors.notebook", way, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "IPYTHONDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["100.0", "100.0", "100.0"]
    assert (tmp_path / "capital.json").exists()
