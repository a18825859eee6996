"""The file: what goes in comes out, whatever else is wrong with it is told apart."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dspex.cache import schema
from dspex.cache.database import Database
from dspex.cache.entry import Absence, Entry
from dspex.cache.files import ASIDE_NAME, file_system, is_on_network
from dspex.cache.key import ATTACHED_FROM, Identity
from dspex.cache.rows import attachment
from dspex.cache.trouble import CacheFileError, Trouble
from dspex.core.lm import Reply
from tests.actors.cache_lab import NOW, WallClock, answer, ask, database, entry

PICTURE = "data:image/png;base64," + "A" * ATTACHED_FROM


@pytest.fixture
def calendar() -> WallClock:
    return WallClock()


@pytest.fixture
def kept(tmp_path: Path, calendar: WallClock) -> Iterator[Database]:
    opened = database(tmp_path, ttl=100.0, wall_clock=calendar)
    yield opened
    opened.close()


def raw(kept: Database) -> sqlite3.Connection:
    """The file behind its back."""
    connection = sqlite3.connect(kept.path, isolation_level=None)
    connection.execute("PRAGMA busy_timeout=5000")
    return connection


def change(kept: Database, statement: str, *values: object) -> None:
    connection = raw(kept)
    connection.execute(statement, values)
    connection.close()


def count(kept: Database, table: str) -> int:
    connection = raw(kept)
    (found,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - a table of ours
    connection.close()
    return int(found)


def why_absent(kept: Database, identity: Identity) -> str | None:
    connection = raw(kept)
    row = connection.execute(
        "SELECT why FROM absences WHERE key = ?", (identity.key,)
    ).fetchone()
    connection.close()
    return row[0] if row else None


# Reading and writing.


def test_answers_outlive_the_process_that_wrote_them(
    tmp_path: Path, kept: Database
) -> None:
    kept.write([entry("a"), entry("b")])
    kept.close()

    again = database(tmp_path)

    assert again.read(ask("a")) == answer("a")
    assert again.read(ask("b")) == answer("b")
    assert again.read(ask("c")) is None
    again.close()


def test_a_newer_answer_takes_the_place_of_an_older(kept: Database) -> None:
    kept.write([entry("a")])
    newer = Entry(identity=ask("a"), reply=Reply(texts=("new",)), created=NOW)

    kept.write([newer])

    assert kept.read(ask("a")) == newer.reply
    assert count(kept, "entries") == 1


def test_a_key_with_another_text_is_a_miss_and_harms_nothing(kept: Database) -> None:
    kept.write([entry("a")])
    forged = Identity(ask("a").key, ask("b").text)

    assert kept.read(forged) is None
    assert kept.read(ask("a")) == answer("a")


def test_answers_whose_time_is_over_are_misses(
    kept: Database, calendar: WallClock
) -> None:
    kept.write([entry("a")])

    calendar.now += 99.0
    before = kept.read(ask("a"))
    calendar.now += 1.0

    assert before == answer("a")
    assert kept.read(ask("a")) is None


@settings(max_examples=25)
@given(question=st.text(), told=st.text(), value=st.text(max_size=3))
def test_any_text_comes_back(
    tmp_path_factory: pytest.TempPathFactory, question: str, told: str, value: str
) -> None:
    kept = database(tmp_path_factory.mktemp("any"))
    identity = ask(question, stop=value)
    reply = Reply(texts=(told,))

    kept.write([Entry(identity=identity, reply=reply, created=NOW)])

    assert kept.read(identity) == reply
    kept.close()


@pytest.mark.parametrize("text", ["\ud800", "\x00", "a\x00b", "\U0010ffff"])
def test_odd_texts_come_back(kept: Database, text: str) -> None:
    kept.write([Entry(identity=ask(text), reply=Reply(texts=(text,)), created=NOW)])

    found = kept.read(ask(text))

    assert found is not None
    assert found.texts == (text,)


# Attachments.


def test_an_attachment_is_kept_once_by_its_digest(kept: Database) -> None:
    (name,) = ask(PICTURE).attachments
    kept.write(
        [
            Entry(identity=ask(PICTURE, seed=seed), reply=answer("it"), created=NOW)
            for seed in range(3)
        ]
    )

    assert count(kept, "attachments") == 1
    assert kept.used_bytes() < 3 * len(PICTURE)
    with kept.use() as connection:
        assert attachment(connection, name) == PICTURE


def test_an_attachment_goes_with_the_last_answer_that_has_it(
    kept: Database, calendar: WallClock
) -> None:
    kept.write([entry(PICTURE, seed=1), entry(PICTURE, NOW + 50, seed=2)])

    calendar.now += 120.0
    kept.sweep()
    after_one = count(kept, "attachments")
    calendar.now += 120.0
    kept.sweep()

    assert (after_one, count(kept, "attachments")) == (1, 0)
    assert count(kept, "attached") == 0


def test_an_attachment_that_is_damaged_is_not_shown(kept: Database) -> None:
    (name,) = ask(PICTURE).attachments
    kept.write([entry(PICTURE)])

    for content in ('"BBBB"', "[", "7", "null"):
        change(kept, "UPDATE attachments SET content = ?", content)
        with kept.use() as connection:
            assert attachment(connection, name) is None


# Damage.


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("reply", '{"texts":["forged"]}'),
        ("reply", "[" * 50_000),
        ("reply", b"\x80\x04\x95pickle."),
        ("reply", 7),
        ("identity", b"\xff\xfe"),
        ("checksum", "0" * 32),
        ("created", "yesterday"),
        ("created", NOW + 1),
    ],
)
def test_a_damaged_row_is_a_miss_once_and_set_aside(
    kept: Database, column: str, value: object
) -> None:
    kept.write([entry("a"), entry("b")])
    statement = f"UPDATE entries SET {column} = ? WHERE key = ?"  # noqa: S608 - a column of ours
    change(kept, statement, value, ask("a").key)

    assert kept.read(ask("a")) is None
    assert kept.read(ask("a")) is None
    assert kept.damaged == 1
    assert (count(kept, "damaged"), count(kept, "entries")) == (1, 1)
    assert why_absent(kept, ask("a")) == Absence.DAMAGED.value
    assert kept.read(ask("b")) == answer("b")
    kept.write([entry("a")])
    assert kept.read(ask("a")) == answer("a")


def file_with(*statements: str) -> bytes:
    """The bytes of a database."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in statements:
            connection.execute(statement)
        return connection.serialize()


def broken_files() -> dict[str, bytes]:
    return {
        "text": b"no database at all, but long enough to be read as one" * 20,
        "pickle": b"\x80\x04\x95\x1b\x00\x00\x00.",
        "foreign": file_with("CREATE TABLE mine (x)"),
        "ours by its mark only": file_with(
            "CREATE TABLE entries (key TEXT)",
            f"PRAGMA application_id={schema.APPLICATION_ID}",
            f"PRAGMA user_version={schema.SCHEMA}",
        ),
        "another version": file_with("PRAGMA user_version=7"),
    }


@pytest.mark.parametrize("kind", sorted(broken_files()))
def test_a_file_that_is_none_of_ours_is_set_aside_and_a_new_one_begun(
    tmp_path: Path, kind: str
) -> None:
    kept = database(tmp_path)
    kept.path.parent.mkdir(mode=0o700)
    content = broken_files()[kind]
    kept.path.write_bytes(content)

    with pytest.raises(CacheFileError) as caught:
        kept.read(ask("a"))
    kept.write([entry("a")])

    assert caught.value.trouble is Trouble.DAMAGED
    assert caught.value.path == kept.path
    assert kept.path.with_name(ASIDE_NAME).read_bytes()[:16] == content[:16]
    assert kept.read(ask("a")) == answer("a")
    kept.close()


def test_a_trigger_in_the_file_makes_it_foreign(kept: Database) -> None:
    kept.write([entry("a")])
    kept.close()
    change(
        kept,
        "CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM entries; END",
    )

    with pytest.raises(CacheFileError) as caught:
        kept.read(ask("a"))

    assert caught.value.trouble is Trouble.DAMAGED


def test_a_file_whose_middle_is_gone_is_set_aside(kept: Database) -> None:
    kept.write([entry(str(number)) for number in range(200)])
    kept.shrink()
    kept.close()
    content = bytearray(kept.path.read_bytes())
    content[4096:] = b"\xaa" * (len(content) - 4096)
    kept.path.write_bytes(content)

    with pytest.raises(CacheFileError) as caught:
        for number in range(200):
            kept.read(ask(str(number)))

    assert caught.value.trouble is Trouble.DAMAGED
    kept.write([entry("a")])
    assert kept.read(ask("a")) == answer("a")


def test_one_file_that_was_set_aside_is_kept_at_most(tmp_path: Path) -> None:
    kept = database(tmp_path)
    kept.path.parent.mkdir(mode=0o700)
    for content in (b"first" * 200, b"second" * 200):
        kept.path.write_bytes(content)
        with pytest.raises(CacheFileError):
            kept.read(ask("a"))

    found = sorted(path.name for path in kept.path.parent.iterdir())
    assert found == [ASIDE_NAME]


def test_a_file_that_another_process_set_aside_is_left_alone(tmp_path: Path) -> None:
    kept, other = database(tmp_path), database(tmp_path)
    kept.write([entry("a")])
    kept.path.rename(kept.path.with_name("moved"))
    other.write([entry("b")])

    kept._set_aside()

    assert other.read(ask("b")) == answer("b")
    assert not kept.path.with_name(ASIDE_NAME).exists()
    other.close()


# Room.


def test_the_answers_used_least_recently_make_room(
    tmp_path: Path, calendar: WallClock
) -> None:
    kept = database(tmp_path, max_bytes=150_000, wall_clock=calendar)
    for number in range(40):
        calendar.now += 4_000.0
        kept.write([entry(f"{number} {'x' * 4_000}", calendar.now)])
    calendar.now += 4_000.0
    first = ask(f"0 {'x' * 4_000}")
    assert kept.read(first) is not None
    kept.write()

    while kept.sweep():
        pass

    assert kept.used_bytes() <= 150_000
    assert kept.read(first) is not None
    second = ask(f"1 {'x' * 4_000}")
    assert kept.read(second) is None
    assert why_absent(kept, second) == Absence.EVICTED.value
    kept.close()


def test_a_sweep_drops_what_expired_and_nothing_else(
    kept: Database, calendar: WallClock
) -> None:
    kept.write([entry("old"), entry("new", NOW + 50)])
    calendar.now += 120.0

    assert kept.sweep() == 1
    assert kept.sweep() == 0
    assert count(kept, "entries") == 1
    assert why_absent(kept, ask("old")) == Absence.EXPIRED.value


def test_a_sweep_is_short_and_the_next_goes_on(
    kept: Database, calendar: WallClock
) -> None:
    kept.write([entry(str(number)) for number in range(10)])
    calendar.now += 120.0

    assert [kept.sweep(max_rows=4) for _ in range(4)] == [4, 4, 2, 0]


def test_what_is_free_goes_back_to_the_disk(kept: Database) -> None:
    kept.write([entry(f"{number} {'x' * 4_000}") for number in range(100)])
    kept.shrink()
    before = kept.path.stat().st_size

    kept.sweep(max_bytes=50_000)
    kept.shrink()

    assert kept.path.stat().st_size < before / 2


def test_it_remembers_why_of_so_many_only(kept: Database) -> None:
    more = schema.KEPT_ABSENCES + 5
    told = [(ask(str(number)), Absence.CUT_OFF) for number in range(more)]

    kept.write(absences=told)

    assert count(kept, "absences") == schema.KEPT_ABSENCES


def test_an_answer_that_comes_at_last_ends_its_absence(kept: Database) -> None:
    kept.write(absences=[(ask("a"), Absence.REFUSED)])
    before = why_absent(kept, ask("a"))

    kept.write([entry("a")])

    assert (before, why_absent(kept, ask("a"))) == ("refused", None)


# The file on its disk.


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
def test_folder_and_files_are_the_users_own_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        kept = database(tmp_path / "home")
        kept.write([entry("a")])
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode)
            for path in (kept.path.parent, *kept.path.parent.iterdir())
        }
    finally:
        os.umask(before)

    assert modes == {
        "cache": 0o700,
        "answers-1.db": 0o600,
        "answers-1.db-wal": 0o600,
        "answers-1.db-shm": 0o600,
    }
    kept.close()


def test_a_file_that_others_could_read_is_made_private(kept: Database) -> None:
    kept.write([entry("a")])
    kept.close()
    kept.path.chmod(0o644)

    kept.read(ask("a"))

    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600


def refused(kept: Database) -> Trouble:
    with pytest.raises(CacheFileError, match="expected a private file") as caught:
        kept.write([entry("a")])
    return caught.value.trouble


def test_a_link_is_refused_and_what_it_points_to_left_alone(tmp_path: Path) -> None:
    kept = database(tmp_path)
    kept.path.parent.mkdir(mode=0o700)
    target = tmp_path / "precious"
    target.write_bytes(b"")
    kept.path.symlink_to(target)

    assert refused(kept) is Trouble.UNSAFE
    assert target.read_bytes() == b""
    assert kept.path.is_symlink()


def test_a_folder_others_can_write_in_is_refused(tmp_path: Path) -> None:
    kept = database(tmp_path)
    kept.path.parent.mkdir()
    kept.path.parent.chmod(0o777)

    assert refused(kept) is Trouble.UNSAFE


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    kept = database(tmp_path)
    kept.path.mkdir(parents=True, mode=0o700)
    kept.path.parent.chmod(0o700)

    assert refused(kept) in {Trouble.UNSAFE, Trouble.UNREADABLE}


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    kept = database(tmp_path)
    kept.path.parent.write_text("no folder")

    assert refused(kept) is Trouble.UNREADABLE


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
nas:/home /home nfs4 rw 0 0
/dev/sdb1 /home/ada/scratch\\040disk xfs rw 0 0
//nas/share /srv cifs rw 0 0
broken
overlay /srv overlay rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/var/cache", "ext4", False),
        ("/home/ada/.local", "nfs4", True),
        ("/home/ada/scratch disk/x", "xfs", False),
        ("/homestead", "ext4", False),
        ("/srv/x", "overlay", False),
    ],
)
def test_the_file_system_of_a_path_is_that_of_the_nearest_mount(
    path: str, kind: str, network: bool
) -> None:
    assert file_system(Path(path), MOUNTS) == kind
    assert is_on_network(Path(path), MOUNTS) is network


def test_without_mounts_nothing_is_told() -> None:
    assert file_system(Path("/x"), "") is None
    assert not is_on_network(Path("/x"), "")


# Other processes.


def test_a_write_while_another_process_writes_says_locked(tmp_path: Path) -> None:
    kept = database(tmp_path, patience=0.0)
    kept.write([entry("a")])
    other = raw(kept)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(CacheFileError) as caught:
        kept.write([entry("b")])
    read = kept.read(ask("a"))
    other.execute("ROLLBACK")
    other.close()
    kept.write([entry("b")])

    assert caught.value.trouble is Trouble.LOCKED
    assert read == answer("a")
    assert kept.read(ask("b")) == answer("b")
    kept.close()


def test_a_full_file_says_so_and_goes_on_when_there_is_room(kept: Database) -> None:
    kept.write([entry("a")])
    with kept.use() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")

    with pytest.raises(CacheFileError) as caught:
        kept.write([entry("x" * 60_000)])
    with kept.use() as connection:
        connection.execute("PRAGMA max_page_count=1000000")
    kept.write([entry("b")])

    assert caught.value.trouble is Trouble.FULL
    assert kept.read(ask("a")) == answer("a")
    assert kept.read(ask("b")) == answer("b")


NO_ROOM = """
import resource, sqlite3, sys
from dspex.cache import schema

_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
for room in range(4_000, 60_000, 4_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, most))
    connection = sqlite3.connect(f"{sys.argv[1]}-{room}", isolation_level=None)
    try:
        schema.prepare(connection)
    except sqlite3.Error as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of files")
def test_a_file_that_cannot_grow_before_there_is_a_table_says_why(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_ROOM, tmp_path / "a.db"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert set(done.stdout.splitlines()) == {"disk I/O error"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_opens_the_file_itself(kept: Database) -> None:
    kept.write([entry("a")])

    child = os.fork()
    if child == 0:
        code = 1
        try:
            if kept.read(ask("a")) == answer("a"):
                kept.write([entry("b")])
                code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert kept.read(ask("b")) == answer("b")
    kept.write([entry("c")])
