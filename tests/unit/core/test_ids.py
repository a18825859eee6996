"""Ids are unique, across threads and forks too."""

from __future__ import annotations

import os
import threading

from dspex.core.ids import new_id


def test_threads_never_draw_the_same() -> None:
    drawn: list[str] = []

    def draw() -> None:
        drawn.extend(new_id() for _ in range(1000))

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(drawn)) == 4000


def test_a_forked_process_does_not_repeat_its_parents() -> None:
    new_id()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, new_id().encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reader, 100).decode() != new_id()
    os.close(reader)
    os.close(writer)
