"""Answers go to JSON Lines and back, and a stranger's lines are checked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.cache import contents
from dspex.cache.database import Database
from dspex.cache.entry import DamagedError, Entry, dump_reply
from dspex.cache.exchange import Imported, export_lines, import_lines, read_line
from dspex.cache.key import ATTACHED_FROM, digest
from dspex.core.lm import Reply
from tests.actors.cache_lab import NOW, answer, ask, database, entry

PICTURE = "data:image/png;base64," + "A" * ATTACHED_FROM


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Database]:
    opened = database(tmp_path / "here")
    yield opened
    opened.close()


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Database]:
    opened = database(tmp_path / "there")
    yield opened
    opened.close()


def test_answers_and_attachments_come_back(here: Database, there: Database) -> None:
    questions = ["a", "é\ud800", PICTURE, *map(str, range(250))]
    here.write([entry(question, NOW - 5) for question in questions])

    done = import_lines(there, export_lines(here))

    assert done == Imported(added=len(questions), known=0, faulty=0, faults=())
    assert [there.read(ask(question)) for question in questions] == [
        answer(question) for question in questions
    ]
    assert list(export_lines(there)) == list(export_lines(here))


def test_what_is_known_stays_as_it_is(here: Database, there: Database) -> None:
    here.write([entry("a"), entry("b")])
    mine = Entry(identity=ask("a"), reply=Reply(texts=("mine",)), created=NOW)
    there.write([mine])
    lines = list(export_lines(here))

    done = import_lines(there, [*lines, *lines, "", "\n"])

    assert (done.added, done.known) == (1, 3)
    assert there.read(ask("a")) == mine.reply


def test_without_a_file_nothing_is_exported(here: Database) -> None:
    assert list(export_lines(here)) == []


def line(**changes: Any) -> str:
    value: dict[str, Any] = {
        "request": ask("a").text,
        "reply": dump_reply(answer("a")),
        "created": NOW,
    }
    return json.dumps({**value, **changes})


PICTURED = ask(PICTURE)


@pytest.mark.parametrize(
    "forged",
    [
        "",
        "[]",
        "7",
        "{}",
        "[" * 100_000,
        line(created="now"),
        line(created=True),
        line(created=float("inf")),
        line(created=10**400),
        line(reply={"texts": ["x"]}),
        line(reply="[]"),
        line(reply='{"texts":["x"],"__class__":"os"}'),
        line(reply='{"texts":["Lim"],"finish_reasons":["length"]}'),
        line(reply='{"texts":["no"],"refused":true}'),
        line(request=None),
        line(request=json.loads(ask("a").text)),
        line(request="{}"),
        line(request="[]"),
        line(request=ask("a").text + " "),
        line(request=ask("a").text.replace('"version":2', '"version":1')),
        line(request=ask("a").text.replace('"model":"m"', '"modal":"m"')),
        line(attachments={digest("x"): "x"}),
        line(attachments=[]),
        line(request=PICTURED.text),
        line(request=PICTURED.text, attachments={digest(PICTURE): "other"}),
        line(request=PICTURED.text, attachments={digest(PICTURE): 7}),
        "\x80\x04\x95.",
        line(created=NOW)[:-1] + ', "note": "\udcff"}',
    ],
    ids=lambda text: text[-40:],
)
def test_a_line_that_is_no_answer_is_left_out_and_told(
    there: Database, forged: str
) -> None:
    done = import_lines(there, ["\n", forged or "x", line()])

    assert (done.added, done.faulty) == (1, 1)
    assert done.faults[0].startswith("line 2: ")
    assert contents.statistics(there).size == 1


def test_the_key_is_computed_whatever_a_line_says(there: Database) -> None:
    import_lines(there, [line(key=ask("b").key, request=ask("a").text)])

    assert there.read(ask("a")) == answer("a")
    assert there.read(ask("b")) is None


def test_an_answer_from_the_future_counts_from_now() -> None:
    assert read_line(line(created=NOW + 1e9), NOW).created == NOW
    assert read_line(line(created=NOW - 5), NOW).created == NOW - 5


def test_only_the_first_faults_are_told(there: Database) -> None:
    done = import_lines(there, ["x"] * 1_000)

    assert done.faulty == 1_000
    assert len(done.faults) < 100


def test_damaged_answers_are_not_exported(here: Database) -> None:
    here.write([entry("a"), entry(PICTURE)])
    with here.transaction() as connection:
        connection.execute("UPDATE attachments SET content = '\"x\"'")

    assert [json.loads(each)["request"] for each in export_lines(here)] == [
        ask("a").text
    ]


@given(value=st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_any_line_is_an_answer_or_a_fault(value: str) -> None:
    with pytest.raises(DamagedError):
        read_line(value, NOW)
