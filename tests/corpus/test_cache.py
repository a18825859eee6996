"""The cache tells every text of the corpus from every other, and keeps its answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import dspex
from dspex.cache.database import Database
from dspex.cache.entry import Entry
from dspex.cache.exchange import export_lines, import_lines
from dspex.cache.key import Identity, identify
from dspex.core.lm import ImagePart, Message, Reply, Request
from dspex.testing import FakeProvider
from dspex.testing.answers import Answer
from tests.actors.cache_lab import NOW, database
from tests.corpus import PICTURES, TEXTS, demos, seen


def asked(content: str, **settings: object) -> Identity:
    message = Message("user", content)
    request = Request(model="m", messages=(message,), settings=settings)
    return identify("openai", "http://a", request)


def shown(picture: bytes) -> Identity:
    message = Message("user", (ImagePart(dspex.Image(picture).url),))
    return identify("openai", "http://a", Request(model="m", messages=(message,)))


EVERYTHING = {
    **{f"asking {name}": asked(text) for name, text in TEXTS.items()},
    **{f"stop at {name}": asked("?", stop=[text]) for name, text in TEXTS.items()},
}


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


def test_no_two_requests_have_one_key() -> None:
    pictures = {name: shown(make()) for name, make in PICTURES.items()}
    identities = [*EVERYTHING.values(), *pictures.values()]

    keys = {identity.key for identity in identities}

    assert len(keys) == len(identities) > 100


def test_every_answer_is_kept_exported_and_imported(
    here: Database, there: Database
) -> None:
    replies = dict(zip(EVERYTHING.values(), map(reply, [*TEXTS] * 2), strict=True))
    here.write(
        [Entry(identity=i, reply=reply, created=NOW) for i, reply in replies.items()]
    )

    done = import_lines(there, export_lines(here))

    assert (done.added, done.faulty) == (len(replies), 0)
    for identity, expected in replies.items():
        assert here.read(identity) == there.read(identity) == expected


def reply(name: str) -> Reply:
    # Two halves in order are a character to JSON, and to everybody who reads it.
    text = json.loads(json.dumps(TEXTS[name]))
    return Reply(texts=(text, ""), reasoning=(text,), model="m")


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_kept_and_exported(
    here: Database, there: Database, name: str
) -> None:
    identity = shown(PICTURES[name]())
    here.write([Entry(identity=identity, reply=Reply(texts=("cat",)), created=NOW)])

    done = import_lines(there, export_lines(here))

    assert done.added == 1
    assert there.read(identity) == Reply(texts=("cat",))


def test_programs_find_every_answer_again_after_a_restart() -> None:
    program = dspex.Predict("question -> answer")
    program.demos = demos(5)

    def all_answers(lm: dspex.LM) -> list[str]:
        with dspex.Runtime() as runtime, dspex.context(lm=lm):
            found = [program(question=text).answer for text in TEXTS.values()]
            runtime.cache.flush()
        return found

    with FakeProvider(answer=count_up()) as provider:
        lm = dspex.LM("openai/m", api_base=provider.base_url, api_key="any")
        first = all_answers(lm)
        again = all_answers(lm)

    # Texts that differ by half a character, or by white space at the end, look alike.
    distinct = {seen(text) for text in TEXTS.values()}
    assert again == first
    assert len(provider.bill) == len(set(first)) == len(distinct)


def count_up() -> Answer:
    """Answer each request with its number."""
    numbers = iter(range(10_000))
    return lambda _messages: (
        f"[[ ## answer ## ]]\nnumber {next(numbers)}\n\n[[ ## completed ## ]]"
    )
