"""`Recorded`: a real model is asked once, and its answers are played back for ever."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.core.history import History
from dspex.core.lm import Message
from dspex.testing import DummyLM, FakeProvider, NotRecordedError, Recorded
from dspex.testing.dummy_lm import answer_text

KEY = "sk-canary-that-must-not-be-recorded-0123456789"
CAPITAL = "country -> capital"
CAPITALS = {"Peru": "Lima", "Chad": "N'Djamena", "Mali": "Bamako"}


def answer(messages: Sequence[Mapping[str, Any]]) -> str:
    asked = messages[-1]["content"]
    capital = next(c for country, c in CAPITALS.items() if country in asked)
    return answer_text(dspex.ChatAdapter(), {"capital": capital})


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=answer, api_key=KEY) as provider:
        yield provider


@pytest.fixture(autouse=True)
def _runtime() -> Iterator[None]:
    with dspex.Runtime(dspex.Config(persist=False)):
        yield


@pytest.fixture
def real(provider: FakeProvider) -> dspex.LM:
    return dspex.LM(
        "openai/gpt-4o-mini",
        api_base=provider.base_url,
        api_key=KEY,
        temperature=0.5,
        cache=False,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recordings" / "capitals.jsonl"


def test_what_was_recorded_is_replayed_without_asking_anybody(
    provider: FakeProvider, real: dspex.LM, path: Path
) -> None:
    program = dspex.Predict(CAPITAL)
    with Recorded(path, real, record=True):
        recorded = [program(country=country) for country in CAPITALS]
    asked = len(provider.bill)

    with Recorded(path) as lm:
        replayed = [program(country=country) for country in reversed(CAPITALS)]

    assert [p.capital for p in replayed] == [p.capital for p in reversed(recorded)]
    assert [p.get_lm_usage() for p in recorded[::-1]] == [
        p.get_lm_usage() for p in replayed
    ]
    assert (len(provider.bill), asked, lm.unused) == (3, 3, 0)


def test_neither_key_nor_address_nor_header_is_in_the_file(
    provider: FakeProvider, real: dspex.LM, path: Path
) -> None:
    with Recorded(path, real, record=True):
        dspex.Predict(CAPITAL)(country="Peru")

    text = path.read_text(encoding="utf-8")

    assert "Lima" in text
    for secret in (KEY, provider.root_url, "127.0.0.1", "uthorization", "User-Agent"):
        assert secret not in text


def test_the_file_is_json_lines_for_people(real: dspex.LM, path: Path) -> None:
    with Recorded(path, real, record=True):
        dspex.Predict("země: str -> capital")(země="Peru")

    head, line = map(json.loads, path.read_text(encoding="utf-8").splitlines())

    assert head["model"] == "openai/gpt-4o-mini"
    assert head["settings"] == {"temperature": 0.5}
    assert line["request"]["messages"][-1]["role"] == "user"
    assert line["reply"]["texts"] == ["[[ ## capital ## ]]\nLima"]
    assert "země" in path.read_text(encoding="utf-8")


def test_the_same_recording_made_twice_is_the_same_file(
    real: dspex.LM, path: Path
) -> None:
    texts = []
    for _ in range(2):
        with Recorded(path, real, record=True) as lm:
            lm("Peru")
        texts.append(path.read_text(encoding="utf-8"))

    assert texts[0] == texts[1]


def test_a_request_that_is_not_there_says_how_it_differs(path: Path) -> None:
    record(path, ["red"], "What colour?", temperature=0.5)

    with pytest.raises(NotRecordedError) as caught:
        Recorded(path)("What colour?", temperature=0.7)

    assert caught.value.differences == ("settings.temperature: 0.7 here, 0.5 there",)
    assert "temperature" in str(caught.value)
    assert caught.value.path == path


def test_a_prompt_that_differs_is_told_by_its_place_and_not_shown(path: Path) -> None:
    record(path, ["red"], "What colour?")

    with pytest.raises(NotRecordedError) as caught:
        Recorded(path)("What taste?")

    assert caught.value.differences == (
        "messages[0].content differs from character 6 on",
    )
    assert "taste" not in str(caught.value)


def test_how_a_call_is_made_and_what_is_secret_is_no_part_of_a_request(
    path: Path,
) -> None:
    record(path, ["red"], "What colour?", cache=False, api_key=KEY, seed=1)

    assert KEY not in path.read_text(encoding="utf-8")
    assert Recorded(path)("What colour?", cache=True, seed=1) == ["red"]


def test_equal_requests_get_their_replies_in_order_and_once(path: Path) -> None:
    record(path, ["red", "blue"], "What colour?")
    lm = Recorded(path)

    assert [lm("What colour?"), lm("What colour?")] == [["red"], ["blue"]]
    with pytest.raises(NotRecordedError, match="more often"):
        lm("What colour?")


def test_coroutines_record_and_replay(real: dspex.LM, path: Path) -> None:
    async def ask(lm: dspex.LM) -> list[list[str]]:
        return [await lm.acall("Peru"), await lm.acall("Chad")]

    recorded = asyncio.run(ask(Recorded(path, real, record=True)))

    assert asyncio.run(ask(Recorded(path))) == recorded
    assert recorded[0] == ["[[ ## capital ## ]]\nLima"]


def test_a_stream_replays_in_pieces_what_was_recorded(
    real: dspex.LM, path: Path
) -> None:
    streamed = [c.text for c in Recorded(path, real, record=True).stream("Peru")]

    replayed = [chunk.text for chunk in Recorded(path).stream("Peru")]

    assert "".join(replayed) == "".join(streamed) == "[[ ## capital ## ]]\nLima"
    assert len(replayed) > 1


def test_a_stream_replays_for_coroutines(path: Path) -> None:
    record(path, ["red and blue"], "What colours?")

    async def read() -> list[str]:
        return [c.text async for c in Recorded(path).astream("What colours?")]

    assert asyncio.run(read()) == ["red ", "and ", "blue"]


def test_a_picture_stands_in_the_file_by_its_digest(path: Path) -> None:
    def seen(letter: str) -> list[dict[str, object]]:
        url = f"data:image/png;base64,{letter * 100_000}"
        part = {"type": "image_url", "image_url": {"url": url}}
        return [{"role": "user", "content": [part]}]

    Recorded(path, DummyLM(["a cat"]), record=True)(messages=seen("A"))

    assert path.stat().st_size < 2_000
    assert Recorded(path)(messages=seen("A")) == ["a cat"]
    with pytest.raises(NotRecordedError):
        Recorded(path)(messages=seen("B"))


def test_half_a_character_is_recorded_and_replayed(path: Path) -> None:
    record(path, ["\udc80"], "\ud800?")

    assert Recorded(path)("\ud800?") == ["\udc80"]


def test_a_replay_speaks_as_the_recorded_model_does(path: Path) -> None:
    class Capable(DummyLM):
        supports_response_schema = True

    real = Capable(["red"], adapter=dspex.LineAdapter())
    Recorded(path, real, record=True)("What colour?")

    lm = Recorded(path)

    assert lm.model == "dummy"
    assert lm.adapter == "line"
    assert lm.supports_response_schema
    assert not lm.supports_function_calling
    assert not lm.supports_reasoning
    assert getattr(lm.copy(temperature=1.0), "supports_response_schema", False)


def test_a_copy_asks_with_its_own_settings(real: dspex.LM, path: Path) -> None:
    Recorded(path, real, record=True).copy(temperature=None, seed=1)("Peru")

    line = json.loads(path.read_text(encoding="utf-8").splitlines()[1])

    assert line["request"]["settings"] == {"seed": 1}
    assert Recorded(path).copy(temperature=None, seed=1)("Peru")


def test_an_earlier_recording_stays_until_there_is_a_new_reply(path: Path) -> None:
    record(path, ["red"], "What colour?")

    Recorded(path, DummyLM(["blue"]), record=True)

    assert Recorded(path)("What colour?") == ["red"]


def test_a_rehearsal_takes_nothing_from_the_recording(path: Path) -> None:
    program = dspex.Predict(CAPITAL)
    scripted = DummyLM([{"capital": "Lima"}])
    with Recorded(path, scripted, record=True):
        program(country="Peru")
    example = dspex.Example(country="Peru").with_inputs("country")

    with Recorded(path) as lm:
        dspex.dry_run(program, [example])

        assert lm.unused == 1


def test_nothing_is_recorded_of_a_call_that_failed(real: dspex.LM, path: Path) -> None:
    wrong = dspex.LM("openai/m", api_base="http://127.0.0.1:9", api_key=KEY)
    lm = Recorded(path, wrong.copy(seed=1), record=True)

    with pytest.raises(dspex.LMError):
        lm("Peru")

    assert not path.exists()


def test_a_model_that_only_completes_is_recorded_from_coroutines_too(
    path: Path,
) -> None:
    class Plain:
        model, adapter = "plain", None

        def complete(self, messages: object, settings: object) -> dspex.Reply:
            return dspex.Reply(texts=("red",))

        def dump_state(self) -> dict[str, object]:
            return {}

    asyncio.run(Recorded(path, Plain, record=True).acall("What colour?"))

    assert Recorded(path)("What colour?") == ["red"]


def test_without_a_recording_the_error_says_how_to_make_one(path: Path) -> None:
    with pytest.raises(dspex.ConfigurationError, match="record=True"):
        Recorded(path)


def test_nobody_to_record_is_an_error(path: Path) -> None:
    with pytest.raises(dspex.ConfigurationError, match="NoneType"):
        Recorded(path, record=True)


HEAD = '{"recording": 1, "model": "m", "settings": %s, "adapter": %s, "supports": []}'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("[]", 1),
        ('{"recording": 99}', 1),
        ('{"recording": 1, "model": "m"}', 1),
        (HEAD % ("{}", "[]"), 1),
        (HEAD % ('{"cache": true}', "null"), 1),
        ("{head}\nnonsense", 2),
        ('{head}\n{"request": {}}', 2),
        ('{head}\n{"request": {}, "reply": {"texts": 1}}', 2),
    ],
)
def test_a_file_that_is_no_recording_is_named_with_its_line(
    path: Path, text: str, line: int
) -> None:
    record(path, ["red"], "What colour?")
    head = path.read_text(encoding="utf-8").splitlines()[0]
    path.write_text(text.replace("{head}", head), encoding="utf-8")

    with pytest.raises(dspex.DataError, match=f"^line {line} of"):
        Recorded(path)


def record(path: Path, replies: list[str], prompt: str, **settings: object) -> None:
    lm = Recorded(path, DummyLM(replies), record=True)
    for _ in replies:
        lm.complete([Message("user", prompt)], settings)


class Listener(dspex.BaseCallback):
    """Counts the calls it hears of."""

    def __init__(self) -> None:
        self.calls = 0

    def on_lm_end(self, *_: Any, **__: Any) -> None:
        self.calls += 1


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("home_made", [False, True])
def test_a_recorded_call_is_told_once(
    real: dspex.LM,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    home_made: bool,
    is_async: bool,
) -> None:
    everyones = History(9)
    monkeypatch.setattr("dspex.programs.history.GLOBAL_HISTORY", everyones)
    asked = DummyLM([{"capital": "Lima"}]) if home_made else real
    everywhere, own = Listener(), Listener()
    program = dspex.Predict(CAPITAL)

    with (
        dspex.context(callbacks=[everywhere]),
        Recorded(path, asked, record=True) as lm,
    ):
        lm.callbacks = [own]
        if is_async:
            asyncio.run(program.acall(country="Peru"))
        else:
            program(country="Peru")

    assert (everywhere.calls, own.calls) == (1, 1)
    told = (everyones, program.history, lm.history, asked.history)
    assert [len(one) for one in told] == [1, 1, 1, 1]
