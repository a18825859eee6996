"""Looking into the file: statistics, lists, pruning, and why a request was a miss."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.cache import contents
from dspex.cache.contents import Pruned
from dspex.cache.database import Database
from dspex.cache.entry import Absence
from dspex.cache.explain import differences, explain
from dspex.cache.key import ATTACHED_FROM, Identity
from dspex.cache.statistics import StoreStatistics
from dspex.core.errors import ConfigurationError
from tests.actors.cache_lab import NOW, WallClock, answer, ask, database, entry


@pytest.fixture
def calendar() -> WallClock:
    return WallClock()


@pytest.fixture
def kept(tmp_path: Path, calendar: WallClock) -> Iterator[Database]:
    opened = database(tmp_path, ttl=1_000.0, wall_clock=calendar)
    yield opened
    opened.close()


def change(kept: Database, statement: str, *values: object) -> None:
    connection = sqlite3.connect(kept.path, isolation_level=None)
    connection.execute(statement, values)
    connection.close()


def test_statistics_tell_what_the_file_holds(kept: Database) -> None:
    kept.write([entry("a", NOW - 9), entry("b"), entry("c" * (ATTACHED_FROM + 1))])
    change(kept, "UPDATE entries SET reply = '' WHERE key = ?", ask("a").key)
    kept.read(ask("a"))

    found = contents.statistics(kept)

    assert (found.size, found.attachments, found.damaged) == (2, 1, 1)
    assert (found.oldest, found.newest) == (NOW, NOW)
    assert found.bytes == kept.used_bytes()


def test_where_there_is_no_file_there_is_nothing_and_none_is_made(
    kept: Database,
) -> None:
    assert contents.statistics(kept) == StoreStatistics()
    assert contents.listed(kept) == []
    assert contents.find(kept, "0") is None
    assert contents.prune(kept) == Pruned(answers=0, bytes=0)
    assert contents.clear(kept) == 0
    assert explain(kept, ask("a")).absence is None
    assert not kept.path.exists()


def test_the_list_is_newest_first_and_paged(kept: Database) -> None:
    kept.write([entry(str(number), NOW - number) for number in range(5)])

    pages = [contents.listed(kept, limit=2, offset=offset) for offset in (0, 2, 4)]

    asked = [ask(str(number)).key for number in range(5)]
    assert [[each.key for each in page] for page in pages] == [
        asked[:2],
        asked[2:4],
        asked[4:],
    ]
    assert pages[0][0].model == "m"
    assert pages[0][0].reply == answer("0")
    assert "re: 0" not in repr(pages)


def test_an_answer_is_found_by_the_beginning_of_its_key(kept: Database) -> None:
    kept.write([entry(str(number)) for number in range(40)])
    key = ask("7").key

    found = contents.find(kept, key[:20])

    assert found is not None
    assert found.key == key
    assert contents.find(kept, "zz") is None
    with pytest.raises(ConfigurationError, match="more of its digits"):
        contents.find(kept, "")


def test_damaged_answers_are_not_listed(kept: Database) -> None:
    kept.write([entry("a"), entry("b")])
    change(kept, "UPDATE entries SET identity = 7 WHERE key = ?", ask("a").key)

    assert [each.key for each in contents.listed(kept)] == [ask("b").key]


def test_pruning_by_age_deletes_what_is_older(
    kept: Database, calendar: WallClock
) -> None:
    kept.write([entry("old", NOW - 500), entry("new", NOW - 5)])

    pruned = contents.prune(kept, older_than=100.0)

    assert pruned.answers == 1
    assert kept.read(ask("new")) == answer("new")
    assert explain(kept, ask("old")).absence is Absence.EXPIRED


def test_pruning_by_size_keeps_what_was_used_last(kept: Database) -> None:
    kept.write([entry(f"{number} {'x' * 4_000}") for number in range(100)])

    pruned = contents.prune(kept, max_bytes=300_000)

    assert pruned.bytes > 300_000
    assert 0 < contents.statistics(kept).size < 100
    assert contents.disk_bytes(kept.path) <= 350_000


def test_clearing_leaves_no_byte_of_what_was_asked(kept: Database) -> None:
    kept.write(
        [entry("my diary"), entry("my diary" * ATTACHED_FROM)],
        absences=[(ask("my diary, the second"), Absence.REFUSED)],
    )

    assert contents.clear(kept) == 2

    kept.close()
    files = [path.read_bytes() for path in kept.path.parent.iterdir()]
    assert not any(b"diary" in content for content in files)


# Why was it a miss?


def test_an_answer_that_is_there_is_no_miss(kept: Database) -> None:
    kept.write([entry("a")])

    told = explain(kept, ask("a"))

    assert told.is_there
    assert str(told) == "The answer is in the file."


@pytest.mark.parametrize("age", [0.0, 2_000.0])
def test_why_an_answer_had_to_be_fetched_is_told_once_it_is_there(
    kept: Database, age: float
) -> None:
    kept.write([entry("a", seed=1), entry("a", NOW - age, seed=2)])

    told = explain(kept, Identity(ask("a", seed=2).key, ""))

    assert told.is_there == (age == 0.0)
    assert told.nearest == ask("a", seed=1).key
    assert told.differences == ("settings.seed: 2 here, 1 there",)


def test_an_answer_whose_time_is_over_is_told(
    kept: Database, calendar: WallClock
) -> None:
    kept.write([entry("a")])
    calendar.now += 1_000.0

    told = explain(kept, ask("a"))

    assert (told.is_there, told.absence) == (False, Absence.EXPIRED)
    assert "expired" in str(told)


@pytest.mark.parametrize("why", list(Absence))
def test_why_an_answer_is_not_there_is_told(kept: Database, why: Absence) -> None:
    kept.write([], absences=[(ask("a"), why)])

    told = explain(kept, Identity(ask("a").key, ""))

    assert told.absence is why
    assert why.value in str(told)
    assert told.at == NOW


def test_the_nearest_answer_and_the_field_that_differs_are_told(
    kept: Database,
) -> None:
    kept.write([entry("a", temperature=0.7), entry("quite another", temperature=0.0)])

    told = explain(kept, ask("a", temperature=0.0))

    assert told.nearest == ask("a", temperature=0.7).key
    assert told.differences == ("settings.temperature: 0.0 here, 0.7 there",)
    assert "never seen" in str(told)
    assert told.differences[0] in str(told)


def test_what_was_said_is_not_told(kept: Database) -> None:
    kept.write([entry("my diary says no")])

    told = explain(kept, ask("my diary says yes"))

    assert told.differences == ("messages[0].content differs from character 15 on",)
    assert "diary" not in str(told)


@pytest.mark.parametrize(
    ("asked", "there", "expected"),
    [
        ({}, {}, ()),
        ({"a": 1}, {"a": 1.0}, ("a: 1 here, 1.0 there",)),
        ({"a": True}, {"a": 1}, ("a: true here, 1 there",)),
        ({"a": 1}, {}, ("a: 1 here, none there",)),
        ({}, {"a": "x"}, ('a: none here, "x" there',)),
        ({"a": [1, 2]}, {"a": [1]}, ("a: 2 here, 1 there",)),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, ("a[0].b: 1 here, 2 there",)),
        ({"messages": [1]}, {"messages": [1, 2]}, ("messages: 1 here, 2 there",)),
        ({"messages": [1]}, {"messages": ["x"]}, ("messages[0] differs",)),
        (
            {"messages": ["ab"]},
            {"messages": ["abc"]},
            ("messages[0] differs from character 3 on",),
        ),
        ({"a": "x" * 99}, {}, (f'a: "{"x" * 39}... here, none there',)),
    ],
)
def test_differences_name_the_field_and_both_values(
    asked: Any, there: Any, expected: tuple[str, ...]
) -> None:
    assert differences(asked, there) == expected


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(asked=VALUES, there=VALUES)
def test_nothing_differs_exactly_when_two_values_are_the_same(
    asked: Any, there: Any
) -> None:
    same = repr(_sorted(asked)) == repr(_sorted(there))

    assert (not differences(asked, there)) == same
    assert differences(asked, asked) == ()


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("column", ["identity", "why", "at"])
def test_a_row_of_nonsense_explains_nothing_and_harms_nothing(
    kept: Database, column: str
) -> None:
    kept.write([entry("b")], absences=[(ask("a"), Absence.REFUSED)])
    change(kept, f"UPDATE absences SET {column} = 'nonsense'")  # noqa: S608 - a column of ours
    change(kept, "UPDATE entries SET created = 'x', identity = 'x'")

    assert not explain(kept, ask("a")).is_there
    assert not explain(kept, ask("b")).is_there
