"""Keys are in no byte that dspex prints, logs or writes (S1)."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.security import canary

MARK = "CANARY7f3a"
"""What all keys have in them."""


def keys() -> dict[str, str]:
    """Variables and keys. They look like nothing that is masked for its looks."""
    return {name: f"{MARK}{kind}" for kind, name in canary.KEYS.items()}


def traces() -> list[bytes]:
    """What keys look like in bytes, in the clear or as a proxy is told them."""
    words = [f"user:{key}".encode() for key in keys().values()]
    return [MARK.encode(), *map(base64.b64encode, words)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """All that the program wrote, by where."""
    folder = tmp_path_factory.mktemp("canary")
    env = {**os.environ, **keys(), "PYTHONASYNCIODEBUG": "1"}
    env |= {"DSPEX_HOME": str(folder / "home"), "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [sys.executable, "-m", "tests.security.canary", str(folder)],
        capture_output=True,
        env=env,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        "stdout": done.stdout,
        "stderr": done.stderr,
        **{str(path.relative_to(folder)): path.read_bytes() for path in files},
    }


def test_the_program_went_through_every_scene(written: dict[str, bytes]) -> None:
    scenes = [line for line in written["stdout"].splitlines() if b"scene: " in line]

    assert len(scenes) == 12
    assert {"home/cache/answers-1.db", "program.json", "answers.jsonl"} <= set(written)
    assert written["answers.jsonl"].count(b"\n") > 5
    # Refusals that echo a key are told, with a mask over it.
    assert written["stdout"].count(b"***") > 5


def test_no_key_is_in_any_byte_written(written: dict[str, bytes]) -> None:
    found = {
        (where, line[:300])
        for where, content in written.items()
        for line in content.splitlines()
        for trace in traces()
        if trace in line
    }

    assert found == set()
