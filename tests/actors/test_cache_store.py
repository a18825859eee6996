"""Both tiers together: answers outlive programs; trouble with the file fails nobody."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.cache.cache import Cache, new_caller
from dspex.cache.entry import Absence
from dspex.cache.files import ASIDE_NAME, cache_file
from dspex.cache.memory import as_cached
from dspex.cache.messages import Found, LookUp
from dspex.cache.store import StorePlace
from dspex.cache.trouble import Trouble
from dspex.core.errors import ConfigurationError, LMServerError
from dspex.core.events import CACHE_TROUBLE
from dspex.core.lm import Reply
from dspex.testing import FakeProvider
from supervisors import Event, Events, Supervisor
from supervisors.testing import ManualClock
from tests.actors.cache_lab import answer, ask, restart, two_tiers
from tests.actors.lab import PATIENT, Callers, echo, eventually, kill

BAD = Reply(texts=("Lim",), finish_reasons=("length",))


@pytest.fixture
def place(tmp_path: Path) -> StorePlace:
    return StorePlace(path=cache_file(tmp_path))


@pytest.fixture
def troubles() -> list[Trouble]:
    return []


@pytest.fixture
def tiers(
    place: StorePlace, troubles: list[Trouble]
) -> Iterator[tuple[Cache, Supervisor]]:
    events = Events()

    def note(event: Event) -> None:
        troubles.append(event.metadata["trouble"])

    events.attach(note, prefix=CACHE_TROUBLE)
    with two_tiers(place, events=events) as running:
        yield running


def fetch(cache: Cache, question: str, outcome: Any = None, **options: Any) -> None:
    """Ask, find nothing, and settle."""
    assert cache.look_up(ask(question), new_caller()) is None
    outcome = answer(question) if outcome is None else outcome
    cache.settle(ask(question).key, outcome, **options)


def found(cache: Cache, question: str) -> bool:
    """Whether the answer is there; if not, nobody fetches it."""
    caller = new_caller()
    reply = cache.look_up(ask(question), caller)
    if reply is None:
        cache.leave(ask(question).key, caller)
        return False
    assert reply.texts == answer(question).texts
    assert reply.cached
    return True


def held(place: StorePlace) -> int:
    """How many answers the file has."""
    with closing(sqlite3.connect(place.path)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM entries").fetchone()
    return int(count)


# The way of an answer.


def test_answers_outlive_the_tree(place: StorePlace) -> None:
    with two_tiers(place) as (cache, _):
        fetch(cache, "a")

    with two_tiers(place) as (cache, _):
        assert found(cache, "a")
        assert not found(cache, "b")
        counts = cache.statistics()

    assert (counts.hits, counts.stored_hits, counts.misses) == (1, 1, 1)


def test_an_answer_from_the_file_is_in_memory_afterwards(
    place: StorePlace,
) -> None:
    with two_tiers(place) as (cache, _):
        fetch(cache, "a")

    with two_tiers(place) as (cache, _):
        assert found(cache, "a")
        place.path.unlink()
        assert found(cache, "a")
        assert cache.statistics().stored_hits == 1


def test_sync_and_async_callers_share_answers(
    tiers: tuple[Cache, Supervisor],
) -> None:
    cache, _ = tiers
    fetch(cache, "a")

    async def ask_both() -> list[Reply | None]:
        follower = asyncio.create_task(cache.alook_up(ask("b"), "follower"))
        return [await cache.alook_up(ask("a"), "hit"), await follower]

    hit, led = asyncio.run(ask_both())

    assert hit is not None
    assert hit.texts == answer("a").texts
    assert led is None
    cache.settle(ask("b").key, answer("b"))
    assert found(cache, "b")


def test_a_cancelled_task_leaves_and_the_next_leads(
    tiers: tuple[Cache, Supervisor],
) -> None:
    cache, _ = tiers
    assert cache.look_up(ask("a"), "leader") is None

    async def give_up_waiting() -> None:
        waiting = asyncio.create_task(cache.alook_up(ask("a"), "cancelled"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(give_up_waiting())
    cache.leave(ask("a").key, "leader")

    assert cache.look_up(ask("a"), "next") is None


@pytest.mark.parametrize(
    ("outcome", "options"),
    [
        (LMServerError("down"), {}),
        (BAD, {}),
        (Reply(texts=("no",), refused=True), {}),
        (Reply(texts=("x",), finish_reasons=("content_filter",)), {}),
        (Reply(texts=("Lima",)), {"keep": False}),
    ],
)
def test_what_is_not_worth_it_is_kept_nowhere(
    tiers: tuple[Cache, Supervisor],
    place: StorePlace,
    outcome: Any,
    options: dict[str, bool],
) -> None:
    cache, _ = tiers
    fetch(cache, "a", outcome, **options)

    assert not found(cache, "a")
    fetch(cache, "b")
    cache.flush()
    assert held(place) == 1


def test_the_file_remembers_why_an_answer_was_not_kept(
    tiers: tuple[Cache, Supervisor], place: StorePlace
) -> None:
    cache, _ = tiers
    fetch(cache, "a", BAD)
    cache.flush()

    connection = sqlite3.connect(place.path)
    rows = connection.execute("SELECT key, why FROM absences").fetchall()
    connection.close()

    assert rows == [(ask("a").key, Absence.CUT_OFF.value)]


def test_an_answer_json_cannot_hold_stays_in_memory_alone(
    tiers: tuple[Cache, Supervisor], place: StorePlace, troubles: list[Trouble]
) -> None:
    cache, _ = tiers
    odd = Reply(texts=answer("a").texts, logprobs=(float("-inf"),))

    fetch(cache, "a", odd)
    cache.flush()

    assert found(cache, "a")
    assert held(place) == 0
    assert not troubles


def test_an_answer_whose_caller_has_gone_is_kept_on_disk(
    tiers: tuple[Cache, Supervisor], place: StorePlace
) -> None:
    cache, _ = tiers
    assert cache.look_up(ask("a"), "leader") is None

    cache.leave(ask("a").key, "leader")
    cache.settle(ask("a").key, answer("a"))
    cache.flush()

    assert held(place) == 1


def test_a_program_that_asks_nothing_has_no_file(place: StorePlace) -> None:
    with two_tiers(place):
        pass

    assert not place.path.exists()


def test_without_a_store_nothing_is_written(tmp_path: Path) -> None:
    config = dspex.Config(persist=False, home=tmp_path)
    with FakeProvider(answer=echo) as provider, dspex.Runtime(config) as runtime:
        lm = dspex.LM("openai/m", api_base=provider.base_url)
        lm("hi")
        lm("hi")
        tree = str(runtime)
        bill = len(provider.bill)

    assert bill == 1
    assert "store" not in tree
    assert list(tmp_path.iterdir()) == []


def test_an_answer_of_one_program_is_a_hit_in_the_next(tmp_path: Path) -> None:
    config = dspex.Config(home=tmp_path)
    with FakeProvider(answer=echo) as provider:
        lm = dspex.LM("openai/m", api_base=provider.base_url)
        for _ in range(2):
            # A clock that stands still: the file has all the time it wants.
            with dspex.Runtime(config, clock=ManualClock()):
                assert lm("hi") == ["re: hi"]
                assert lm("hi", rollout_id=1) == ["re: hi"]

    assert len(provider.bill) == 2


def test_no_key_is_in_any_byte_of_the_file(tmp_path: Path) -> None:
    secret = "sk-canary-0123456789"
    config = dspex.Config(home=tmp_path)
    with FakeProvider(answer=echo, api_key=secret) as provider:
        with dspex.Runtime(config) as runtime:
            dspex.LM("openai/m", api_base=provider.base_url, api_key=secret)("hi")
            runtime.cache.flush()
            during = [path.read_bytes() for path in tmp_path.rglob("*.db*")]
        after = [path.read_bytes() for path in tmp_path.rglob("*.db*")]

    assert any(b"re: hi" in content for content in during + after)
    assert not any(secret.encode() in content for content in during + after)


# A store that is slow, locked, full, damaged.


def test_a_store_that_is_too_slow_is_a_miss_and_its_late_answer_is_kept(
    place: StorePlace,
) -> None:
    with two_tiers(place) as (cache, _):
        fetch(cache, "a")
    clock = ManualClock()
    with two_tiers(place, clock=clock) as (cache, top):
        store = top.registry.await_name("store", PATIENT)
        assert store.suspend()
        asked = Callers([lambda: cache.look_up(ask("a"), "leader")])
        follower = Callers([lambda: cache.look_up(ask("a"), "follower")])

        def asked_after_all() -> bool:
            clock.advance(0.05)
            return asked.done + follower.done >= 1

        eventually(asked_after_all)
        store.resume()
        # Both ask before the late answer or after it; one leads at most.
        told = asked.outcomes() + follower.outcomes()

        assert told.count(None) == 1
        assert found(cache, "a")


def test_a_late_answer_does_not_replace_the_one_that_was_settled_meanwhile(
    place: StorePlace,
) -> None:
    with two_tiers(place) as (cache, _):
        fetch(cache, "a")
    clock = ManualClock()
    newer = Reply(texts=("newer",))
    with two_tiers(place, clock=clock) as (cache, top):
        store = top.registry.await_name("store", PATIENT)
        assert store.suspend()
        asked = Callers([lambda: cache.look_up(ask("a"), "leader")])

        def leads() -> bool:
            clock.advance(0.05)
            return asked.done == 1

        eventually(leads)
        cache.settle(ask("a").key, newer)
        cache.statistics()
        store.resume()
        cache.flush()
        reply = cache.look_up(ask("a"), "later")

    assert reply is not None
    assert reply.texts == ("newer",)


@pytest.fixture
def locked(place: StorePlace) -> Iterator[sqlite3.Connection]:
    """A file that another process is writing to."""
    with two_tiers(place) as (cache, _):
        fetch(cache, "before")
    connection = sqlite3.connect(place.path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


def test_while_another_process_writes_hits_are_hits_and_writes_wait(
    place: StorePlace, locked: sqlite3.Connection
) -> None:
    clock = ManualClock()
    with two_tiers(place, clock=clock) as (cache, _):
        assert found(cache, "before")
        fetch(cache, "a")
        assert found(cache, "a")
        assert cache.flush() == 1

        locked.execute("COMMIT")

        def written() -> bool:
            clock.advance(0.1)
            return held(place) == 2

        eventually(written)


def test_a_full_disk_costs_one_warning_and_no_call(
    tiers: tuple[Cache, Supervisor],
    place: StorePlace,
    troubles: list[Trouble],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect = sqlite3.connect

    def tiny(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)
        connection.execute("PRAGMA max_page_count=14")
        return connection

    monkeypatch.setattr(sqlite3, "connect", tiny)
    cache, _ = tiers

    for number in range(3):
        fetch(cache, f"{number} {'x' * 60_000}")
        cache.flush()

    assert found(cache, f"0 {'x' * 60_000}")
    assert troubles == [Trouble.FULL]


def test_a_damaged_file_is_set_aside_with_one_warning_and_a_new_one_is_used(
    tiers: tuple[Cache, Supervisor], place: StorePlace, troubles: list[Trouble]
) -> None:
    place.path.parent.mkdir(mode=0o700, parents=True)
    place.path.write_bytes(b"\x80\x04\x95 a pickle, or anything else " * 100)
    cache, _ = tiers

    fetch(cache, "a")
    fetch(cache, "b")

    eventually(lambda: cache.flush() == 0)
    assert troubles == [Trouble.DAMAGED]
    assert place.path.with_name(ASIDE_NAME).exists()
    assert held(place) == 2


def test_damaged_rows_are_asked_for_again_with_one_warning(
    place: StorePlace,
    troubles: list[Trouble],
) -> None:
    with two_tiers(place) as (cache, _):
        for question in "abc":
            fetch(cache, question)
    connection = sqlite3.connect(place.path, isolation_level=None)
    connection.execute("UPDATE entries SET reply = '{}'")
    connection.close()
    events = Events()
    events.attach(
        lambda event: troubles.append(event.metadata["trouble"]), prefix=CACHE_TROUBLE
    )

    with two_tiers(place, events=events) as (cache, _):
        assert [found(cache, question) for question in "abc"] == [False] * 3
        fetch(cache, "a")

    assert troubles == [Trouble.ROW]
    assert held(place) == 1


def test_a_link_in_the_place_of_the_file_costs_one_warning_and_is_left_alone(
    tiers: tuple[Cache, Supervisor],
    place: StorePlace,
    troubles: list[Trouble],
    tmp_path: Path,
) -> None:
    place.path.parent.mkdir(mode=0o700, parents=True)
    target = tmp_path / "precious"
    target.write_text("precious")
    place.path.symlink_to(target)
    cache, _ = tiers

    for question in "abc":
        fetch(cache, question)
    cache.flush()

    assert found(cache, "a")
    assert troubles == [Trouble.UNSAFE]
    assert target.read_text() == "precious"


# Deaths.


@pytest.mark.parametrize("victim", ["memory", "store"])
def test_under_load_every_caller_is_answered_whoever_dies(
    place: StorePlace, victim: str
) -> None:
    callers, questions = 16, 40
    with two_tiers(place) as (cache, top):

        def ask_all() -> list[str]:
            answers = []
            for number in range(questions):
                identity, caller = ask(str(number)), new_caller()
                reply = cache.look_up(identity, caller)
                if reply is None:
                    reply = answer(str(number))
                    cache.settle(identity.key, reply)
                answers.append(reply.texts[0])
            return answers

        crowd = Callers([ask_all] * callers)
        for _ in range(20):
            restart(top, victim)
        outcomes = crowd.outcomes()

    assert outcomes == [[f"re: {number}" for number in range(questions)]] * callers


@pytest.mark.parametrize("victim", ["cache.memory", "cache.store"])
def test_killed_under_a_runtime_it_costs_no_answer(tmp_path: Path, victim: str) -> None:
    config = dspex.Config(home=tmp_path, branch_restarts=10_000)
    with (
        FakeProvider(answer=echo, latency=0.001) as provider,
        dspex.Runtime(config) as runtime,
    ):
        lm = dspex.LM("openai/m", api_base=provider.base_url)

        def ask_all() -> list[str]:
            return [lm(str(number))[0] for number in range(25)]

        crowd = Callers([ask_all] * 8)
        for _ in range(20):
            kill(runtime, victim)
        outcomes = crowd.outcomes()

    assert outcomes == [[f"re: {number}" for number in range(25)]] * 8


def test_an_answer_that_comes_after_a_death_of_the_memory_is_stored(
    tiers: tuple[Cache, Supervisor], place: StorePlace
) -> None:
    cache, top = tiers
    assert cache.look_up(ask("a"), "leader") is None

    restart(top, "memory")
    cache.settle(ask("a").key, answer("a"))
    cache.flush()

    assert held(place) == 1


def test_what_was_stored_is_found_after_a_death_of_both_tiers(
    tiers: tuple[Cache, Supervisor],
) -> None:
    cache, top = tiers
    fetch(cache, "a")
    cache.flush()

    restart(top, "store")

    assert found(cache, "a")
    assert cache.statistics().stored_hits == 1


# Several processes.

WRITER = """
import sys
from pathlib import Path
from dspex.cache.store import StorePlace
from dspex.cache.cache import new_caller
from tests.actors.cache_lab import answer, ask, two_tiers

place, name = StorePlace(path=Path(sys.argv[1])), sys.argv[2]
with two_tiers(place) as (cache, _):
    for number in range(200):
        for question in (f"{name} {number}", f"shared {number}"):
            caller = new_caller()
            if cache.look_up(ask(question), caller) is None:
                cache.settle(ask(question).key, answer(question))
    for _ in range(1000):
        if cache.flush() == 0:
            break
    else:
        sys.exit("could not write")
"""


def test_four_processes_write_to_one_file_and_lose_nothing(place: StorePlace) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(place.path), name])
        for name in "abcd"
    ]

    assert [writer.wait(120) for writer in writers] == [0, 0, 0, 0]
    assert held(place) == 4 * 200 + 200
    with two_tiers(place) as (cache, _):
        assert found(cache, "a 0")
        assert found(cache, "d 199")
        assert found(cache, "shared 7")


def test_a_killed_process_leaves_a_file_that_can_be_read(place: StorePlace) -> None:
    script = WRITER.replace("range(200)", "range(100_000)")
    writer = subprocess.Popen([sys.executable, "-c", script, str(place.path), "a"])
    try:
        eventually(lambda: place.path.exists() and _some_rows(place))
    finally:
        writer.kill()
        writer.wait(30)

    with two_tiers(place) as (cache, _):
        assert found(cache, "a 0")
        fetch(cache, "after")
        assert cache.flush() == 0


def _some_rows(place: StorePlace) -> bool:
    try:
        return held(place) > 200
    except sqlite3.Error:
        return False


def test_hits_of_many_threads_are_counted_once_each(
    tiers: tuple[Cache, Supervisor],
) -> None:
    cache, _ = tiers
    fetch(cache, "a")
    gate = threading.Barrier(8)

    def hit() -> bool:
        gate.wait(PATIENT)
        return all(found(cache, "a") for _ in range(50))

    assert Callers([hit] * 8).outcomes() == [True] * 8
    assert cache.statistics().hits == 400


@pytest.mark.parametrize("busy", ["memory", "store"])
def test_a_shutdown_that_overtakes_an_answer_does_not_lose_it(
    place: StorePlace, busy: str
) -> None:
    with two_tiers(place) as (cache, top):
        assert cache.look_up(ask("a"), "leader") is None
        # The answer waits in the mailbox when the shutdown comes.
        assert top.registry.await_name(busy, PATIENT).suspend()
        cache.settle(ask("a").key, answer("a"))
        if busy == "store":
            cache.statistics()

    assert held(place) == 1


def test_followers_are_answered_when_the_clients_word_was_lost(
    tiers: tuple[Cache, Supervisor],
) -> None:
    cache, top = tiers
    assert cache.look_up(ask("a"), "leader") is None
    question = LookUp(identity=ask("a"), caller="follower")
    follower = top.handle("memory").submit(question)

    cache.leave(ask("a").key, "leader", answer("a"))

    assert follower.get(timeout=PATIENT) == Found(as_cached(answer("a")))
    assert found(cache, "a")


def test_a_leader_of_the_past_does_not_answer_for_another(
    tiers: tuple[Cache, Supervisor],
) -> None:
    cache, _ = tiers
    assert cache.look_up(ask("a"), "past") is None
    cache.settle(ask("a").key, LMServerError("down"))
    assert cache.look_up(ask("a"), "present") is None

    cache.leave(ask("a").key, "past", Reply(texts=("stale",)))

    assert not found(cache, "b")
    cache.settle(ask("a").key, answer("a"))
    assert found(cache, "a")


# Looking into it.


def test_the_handle_tells_of_what_was_settled_just_now(
    tiers: tuple[Cache, Supervisor],
) -> None:
    cache, _ = tiers
    fetch(cache, "a")
    fetch(cache, "cut", BAD)

    assert [each.key for each in cache.list()] == [ask("a").key]
    assert cache.explain(ask("cut")).absence is Absence.CUT_OFF
    counts = cache.statistics()
    assert counts.store is not None
    assert counts.store.size == 1


def test_clearing_forgets_in_memory_and_on_disk(
    tiers: tuple[Cache, Supervisor], place: StorePlace
) -> None:
    cache, _ = tiers
    fetch(cache, "a")

    assert cache.clear() == 1

    assert not found(cache, "a")
    assert held(place) == 0


def test_pruning_leaves_the_memory_alone(
    tiers: tuple[Cache, Supervisor], place: StorePlace
) -> None:
    cache, _ = tiers
    fetch(cache, "a")

    assert cache.prune(older_than=0.0).answers == 1

    assert held(place) == 0
    assert found(cache, "a")


def test_answers_of_one_cache_are_hits_in_another_that_imports_them(
    tiers: tuple[Cache, Supervisor], tmp_path: Path
) -> None:
    cache, _ = tiers
    fetch(cache, "a")
    elsewhere = StorePlace(path=cache_file(tmp_path / "elsewhere"))

    with two_tiers(elsewhere) as (other, _):
        done = other.import_lines([*cache.export_lines(), "no answer"])

        assert (done.added, done.faulty) == (1, 1)
        assert found(other, "a")


def test_without_a_file_a_look_into_it_says_why_there_is_none() -> None:
    with dspex.Runtime(dspex.Config(persist=False)) as runtime:
        assert runtime.cache.statistics().store is None
        assert runtime.cache.flush() == 0
        with pytest.raises(ConfigurationError, match="persist=False"):
            runtime.cache.list()


def test_statistics_of_a_file_that_is_no_file_are_left_out(
    tiers: tuple[Cache, Supervisor], place: StorePlace
) -> None:
    place.path.mkdir(parents=True, mode=0o700)
    cache, _ = tiers
    fetch(cache, "a")

    counts = cache.statistics()

    assert (counts.size, counts.store) == (1, None)
