"""Runs that are cancelled leave nothing behind: a small size of `tests.leaks`."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading

from tests.leaks.left import counted, left_since


def test_ten_runs_cancelled_at_random_moments_leave_nothing() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.leaks", "--runs", "10", "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ended.returncode in (0, 1), ended.stderr
    assert json.loads(ended.stdout)["leaks"] == []


def test_what_is_left_is_found() -> None:
    go = threading.Event()

    async def main() -> dict[str, int]:
        before = counted()
        waiting = asyncio.create_task(asyncio.Event().wait())
        with open(__file__, encoding="utf-8"):  # noqa: PTH123 - an open file is what it is about
            thread = threading.Thread(target=go.wait)
            thread.start()
            more = counted() - before
        go.set()
        thread.join()
        waiting.cancel()
        await asyncio.wait([waiting])
        assert left_since(before) == {}
        return dict(more)

    assert asyncio.run(main()) == {"threads": 1, "tasks": 1, f"file {__file__}": 1}
