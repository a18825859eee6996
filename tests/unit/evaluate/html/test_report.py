"""The page of a result: all of it there, none of it able to act."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dspex
from dspex.client.call import AttemptRecord, Fate
from dspex.core.errors import ConfigurationError
from dspex.core.history import Exchanged
from dspex.core.lm import Message, Reply, Usage
from dspex.evaluate.results.outcome import ErrorNote, Outcome, OutcomeKind, Stamp
from dspex.evaluate.results.result import EvaluationResult
from dspex.evaluate.working.traced_call import TracedCall
from tests.corpus import TEXTS
from tests.unit.evaluate.html.reading import Page

ATTACKS = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "</pre></details></style><!--",
    "]]>&lt;script&gt;",
    "javascript:alert(1)",
    "https://evil.example/x.js",
    "\x1b]0;title\x07\u202e\x00\ud800\ufffe",
]
NASTY = st.sampled_from(ATTACKS) | st.text(st.characters(), max_size=30)


def outcome(
    number: int, score: float | None = 1.0, text: str = "Lima", **fields: Any
) -> Outcome:
    stamp = Stamp(run="test", example=number)
    if score is not None:
        prediction = dspex.Prediction(answer=text)
        kind = OutcomeKind.SCORED
        return Outcome(
            stamp=stamp, kind=kind, score=score, prediction=prediction, **fields
        )
    error = ErrorNote(stage="program", type="ValueError", message=text, where="line 7")
    given: dict[str, Any] = {
        "kind": OutcomeKind.PROGRAM,
        "stage": "program",
        "error": error,
    } | fields
    return Outcome(stamp=stamp, **given)


def result_of(*outcomes: Outcome | None, text: str = "Peru?") -> EvaluationResult:
    row = dspex.Example(question=text, answer="Lima").with_inputs("question")
    return EvaluationResult(examples=[row] * len(outcomes), outcomes=outcomes)


def page_of(result: EvaluationResult, **options: Any) -> Page:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        result.report(path, **options)
        return Page(path.read_text(encoding="utf-8"))


def everywhere(text: str) -> EvaluationResult:
    """A result with a text at every place that is not ours."""
    call = Exchanged(
        model=text,
        messages=(Message(role="user", content=text),),
        settings={},
        reply=Reply(texts=(text,), model=text),
    )
    kept = TracedCall(model=text, asker=text, messages=((text, text),), answers=(text,))
    wrong = outcome(
        0,
        0.5,
        text,
        trace=(kept,),
        columns={text or "-": 0.5, "second": 1.0},
        feedback=text,
        value=[call, (text, {text or "-": text}, dspex.Prediction(answer=text))],
    )
    error = ErrorNote(stage="metric", type=text, message=text, where=text)
    failed = outcome(1, None, kind=OutcomeKind.METRIC, error=error, evidence=(text,))
    row = dspex.Example({"question": text, text or "-": text}).with_inputs("question")
    record = AttemptRecord(
        request_id=text,
        call_id=text,
        number=1,
        fate=Fate.ANSWERED,
        error=text,
        tags={"example": 0, "trial": 0},
    )
    return EvaluationResult(
        examples=[row] * 3, outcomes=(wrong, failed, None), requests={"x": record}
    )


@given(NASTY)
@settings(max_examples=30, deadline=None)
def test_no_text_becomes_markup(text: str) -> None:
    page = page_of(everywhere(text), title=text)
    plain = page_of(everywhere("Lima"), title="Lima")

    assert page.left_open == []
    names = {tag for tag, _ in page.tags}
    assert names <= {tag for tag, _ in plain.tags} | {"em"}
    assert len(page.attributes("script")) == 2
    assert not [
        name for _, attributes in page.tags for name in attributes if name[:2] == "on"
    ]
    assert not {"href", "src", "style", "srcset", "action"} & {
        name for _, attributes in page.tags for name in attributes
    }


@pytest.mark.parametrize("text", ATTACKS)
def test_drawings_of_any_names_are_xml(text: str) -> None:
    drawings = page_of(everywhere(text)).drawings()

    assert len(drawings) >= 3
    for drawing in drawings:
        title, described = drawing[0], drawing[1]
        assert (title.tag, described.tag) == ("title", "desc")
        assert title.text
        assert described.text
        assert drawing.get("aria-labelledby") == (
            f"{title.get('id')} {described.get('id')}"
        )


def test_the_policy_lets_in_the_pages_own_script_and_style_and_nothing_else() -> None:
    page = page_of(result_of(outcome(0)))

    [policy] = [
        one["content"]
        for one in page.attributes("meta")
        if one.get("http-equiv") == "Content-Security-Policy"
    ]
    style, _, script = page.scripts
    digests = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    ]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digests[0]}'; "
        f"script-src 'sha256-{digests[1]}'; base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"https?:|url\(|@import|eval|innerHTML", page.source)


def test_numbers_are_there_for_programs_too() -> None:
    page = page_of(result_of(outcome(0), outcome(1, 0.0), None), title="</script>")

    facts = json.loads(page.scripts[1])

    assert facts["score"] == 33.33
    assert (facts["n"], facts["measured"], facts["complete"]) == (3, 2, False)
    assert facts["outcomes"] == {"scored": 2, "not begun": 1}


def test_what_is_not_measured_is_said_beside_the_score() -> None:
    late = outcome(2, None, "slow", kind=OutcomeKind.TIMEOUT)
    page = page_of(result_of(outcome(0), outcome(1, 0.0), late, None))

    assert "It could be up to 75.0: 2 of 4 not measured" in page.text
    assert "not complete" in page.text
    [score] = [one for one in page.drawings() if one[0].text == "Score"]
    assert "It may be from 25.0 to 75.0." in (score[1].text or "")


def test_a_complete_result_has_no_band_of_the_unknown() -> None:
    page = page_of(result_of(outcome(0), outcome(1, 0.0)))

    assert "It could be" not in page.text
    assert 'class="unknown"' not in page.source


def test_everything_known_of_a_row_is_in_it() -> None:
    first = outcome(
        0,
        None,
        "no such city",
        latency=1.5,
        usage=Usage(prompt_tokens=10, completion_tokens=2),
        cost=0.25,
        calls=3,
        cached=1,
        evidence=("worker 1: exit code -9",),
    )
    text = page_of(result_of(first)).text

    for words in (
        *("Peru?", "Lima", "ValueError in the program", "no such city", "line 7"),
        *("worker 1: exit code -9", "3 answers (1 from the cache)", "12 tokens"),
        *("$0.25", "1.5 s", "33% from the cache"),
    ):
        assert words in text


def test_prompts_and_replies_are_shown_where_they_are_known() -> None:
    text = page_of(everywhere("seen")).text

    assert "call 1: seen" in text
    assert "reply" in text
    assert "step 2: str" in text


def test_rows_stand_from_the_worst_to_the_best() -> None:
    page = page_of(
        result_of(outcome(0), outcome(1, 0.5), None, outcome(3, None), outcome(4, 0.0))
    )

    order = [one["id"] for one in page.attributes("details") if "id" in one]

    assert order == [f"example-{number}" for number in (3, 2, 4, 1, 0)]


def test_a_page_of_many_rows_shows_the_worst_and_says_where_the_rest_is() -> None:
    many = [outcome(number, 1.0) for number in range(10_000)]
    many[7_000] = outcome(7_000, None)

    page = page_of(result_of(*many), rows=50)

    rows = [one for one in page.attributes("details") if "id" in one]
    assert len(rows) == 50
    assert rows[0]["id"] == "example-7000"
    assert "The 50 worst of 10,000 rows are shown; 9,950 are not." in page.text
    assert "save_jsonl" in page.text


def test_a_page_of_few_rows_says_nothing_of_a_rest() -> None:
    assert "are shown" not in page_of(result_of(outcome(0))).text


def test_a_long_value_is_cut_and_says_by_how_much() -> None:
    page = page_of(result_of(outcome(0), text="x" * 100_000))

    assert "96,000 more characters" in page.text
    assert len(page.source) < 60_000


def test_failures_of_many_kinds_are_counted_by_cause() -> None:
    causes = [
        outcome(
            number,
            None,
            error=ErrorNote(stage="program", type=f"E{number}", message="", where=""),
        )
        for number in range(300)
    ]

    text = page_of(result_of(*causes), rows=1).text

    assert "E199" in text
    assert "E200" not in text
    assert "and 100 more causes" in text


def test_an_empty_result_has_a_page() -> None:
    assert page_of(result_of()).left_open == []


def test_the_corpus_is_readable_on_the_page() -> None:
    texts = list(TEXTS.values())
    examples = [dspex.Example(text=text).with_inputs("text") for text in texts]
    outcomes = tuple(outcome(n, 0.0, text) for n, text in enumerate(texts))

    page = page_of(EvaluationResult(examples=examples, outcomes=outcomes))

    assert page.left_open == []
    for text in texts:
        if text.isprintable() and len(text) < 4_000:
            assert page.text.count(text) >= 2


def test_the_same_result_makes_the_same_page() -> None:
    result = result_of(outcome(0), outcome(1, None), None)

    assert page_of(result).source == page_of(result).source


def test_a_place_where_no_page_can_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no file can be"):
        result_of(outcome(0)).report(tmp_path)


@pytest.mark.parametrize("text", ATTACKS)
def test_a_notebook_shows_the_worst_rows_and_runs_nothing(text: str) -> None:
    many = [outcome(number, 1.0) for number in range(30)]
    many[20] = outcome(20, None, text)

    page = Page(result_of(*many, text=text)._repr_html_())

    assert page.left_open == []
    assert {tag for tag, _ in page.tags} == {
        *("div", "p", "table", "thead", "tbody", "tr", "th", "td")
    }
    assert page.text.index("program") < page.text.index("scored")
    assert "20 more rows" in page.text


def test_a_page_that_breaks_on_the_way_leaves_the_old_one(tmp_path: Path) -> None:
    class Breaking(dspex.Example):
        def inputs(self) -> Any:
            raise OSError("gone")

    path = tmp_path / "report.html"
    path.write_text("old")
    result = EvaluationResult(examples=[Breaking(q=1)], outcomes=(outcome(0),))

    with pytest.raises(OSError, match="gone"):
        result.report(path)

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("low", "high"), [(-math.inf, math.inf), (-1.0, 1.0), (0.0, 5.0), (-3.0, -3.0)]
)
@pytest.mark.parametrize("score", [-2.0, 0.0, 4.0])
def test_a_metric_of_any_range_has_a_page(
    low: float, high: float, score: float
) -> None:
    row = dspex.Example(question="?").with_inputs("question")
    result = EvaluationResult(
        examples=[row] * 2, outcomes=(outcome(0, score), None), metric_range=(low, high)
    )

    page = page_of(result)

    assert page.left_open == []
    assert f"{100 * score / 2:.1f}" in page.text


def test_each_trial_of_an_example_has_its_row() -> None:
    first = outcome(0, 0.0)
    second = Outcome(
        stamp=Stamp(run="test", example=0, trial=1), kind=OutcomeKind.SCORED, score=1.0
    )
    row = dspex.Example(question="?").with_inputs("question")

    page = page_of(EvaluationResult(examples=[row], outcomes=(first, second), trials=2))

    ids = [one["id"] for one in page.attributes("details") if "id" in one]
    assert ids == ["example-0", "example-0-1"]
    assert "100.0 solved by one of them" in page.text


def test_a_row_shows_the_calls_that_were_kept() -> None:
    kept = TracedCall(
        model="openai/fake",
        asker="Predict(question -> answer)",
        messages=(("system", "Answer."), ("user", "Peru?")),
        answers=("Lima",),
        seconds=0.25,
    )

    text = page_of(result_of(outcome(0, 0.5, trace=(kept,)))).text

    assert "call 1: openai/fake by Predict(question -> answer), 250 ms" in text
    assert "Answer." in text
