"""The demo's words follow from its numbers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.core.lm import Message, Usage
from dspex.demo.report import (
    Report,
    Row,
    Shown,
    as_plain,
    as_text,
    lift,
    points_on,
    table,
    verdict,
)


def row(
    scores: Sequence[float],
    unreadable: Sequence[int] = (),
    *,
    foreign: Sequence[int] = (),
    title: str = "zero-shot",
    of: int | None = None,
) -> Row:
    return Row(
        title=title,
        scores=tuple(scores),
        unreadable=tuple(at in unreadable for at in range(len(scores))),
        foreign=tuple(at in foreign for at in range(len(scores))),
        failures=len(unreadable),
        of=len(scores) if of is None else of,
        calls=len(scores),
        usage=Usage(prompt_tokens=1_000, completion_tokens=234),
        seconds=2.5,
    )


def report(**changes: object) -> Report:
    base = {
        "model": "openai/fake",
        "task": "capitals",
        "title": "Name the capital",
        "signature": "country -> capital",
        "source": "somewhere",
    }
    return Report(**{**base, **changes})  # type: ignore[arg-type] # made of strings


MISSED = row([0.0] * 8 + [1.0, 0.0], range(6))
FOUND = row([1.0] * 9 + [0.0], [9], title="better")


def test_the_gain_is_parted_into_format_and_the_rest() -> None:
    text = lift(MISSED, FOUND)

    assert "+80.0 points" in text
    assert "+60.0 of them are format: 6 answers could not be read before, 1 now" in text
    assert "+20.0 are other answers" in text


def test_no_format_is_claimed_where_every_answer_could_be_read() -> None:
    assert "None of that is format" in lift(row([0, 0, 1]), row([1, 1, 1]))


def test_of_free_text_it_counts_answers_that_no_example_has() -> None:
    text = lift(row([0, 0, 0, 1], foreign=[0, 1]), row([1, 0, 1, 1]), free_text=True)

    assert "+50.0 points" in text
    assert "2 answers were none that any" in text
    assert "+25.0 points stand on those" in text


@given(
    st.lists(
        st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=30
    )
)
def test_the_two_parts_add_up_to_the_gain(
    examples: list[tuple[bool, bool, bool]],
) -> None:
    unread = [at for at, (_, _, lost) in enumerate(examples) if lost]
    before = row([float(old and not lost) for old, _, lost in examples], unread)
    after = row([float(new) for _, new, _ in examples])
    readable = [at for at in range(len(examples)) if at not in unread]

    rest = 100 * sum(after.scores[at] - before.scores[at] for at in readable)

    gain = after.score - before.score
    assert points_on(
        before.unreadable, before, after
    ) + rest / before.n == pytest.approx(gain)


@pytest.mark.parametrize(
    ("labeled", "after", "words"),
    [
        ([1] * 10, [1] * 10, "not one of the 10 examples came out differently"),
        ([1] * 9 + [0], [1] * 8 + [0] * 2, "it counts as none"),
        ([0] * 30, [1] * 30, "Bootstrapping is better than labelled examples here"),
        ([1] * 30, [0] * 30, "it is worse"),
    ],
)
def test_the_verdict_is_that_of_the_interval(
    labeled: list[int], after: list[int], words: str
) -> None:
    text = verdict(row(labeled), row(after))

    assert words in text
    assert ("is not better" in text) == ("is better" not in text)


def test_a_row_that_was_cut_short_is_compared_with_nothing() -> None:
    cut = row([1.0, 1.0], of=10, title="cut")

    assert "not measured on the same examples" in lift(row([0.0] * 10), cut)
    assert "2 of 10" in table([cut])


def test_the_table_is_aligned_and_has_a_line_per_row() -> None:
    lines = table([MISSED, FOUND]).splitlines()

    assert len(lines) == 3
    assert len({len(line) for line in lines}) == 1
    assert lines[1].split() == [
        *("zero-shot", "10.0", "1.8", "to", "40.4", "6", "10", "1,234", "2.5"),
    ]


def test_what_was_not_reached_is_null_and_not_zero() -> None:
    plain = as_plain(report(before=row([1.0])))

    assert plain["before"] == {"score": 100.0, "stderr": None, "n": 1, "failures": 0}
    assert plain["labeled"] is None
    assert plain["after"] is None


def test_nothing_measured_is_said() -> None:
    assert "nothing was measured" in as_text(report())


def test_the_whole_report_tells_model_tree_prompt_and_what_comes_next() -> None:
    shown = Shown(
        inputs={"country": "New Zealand"},
        answer_before="$100",
        messages=(Message("system", "Answer.\nBriefly."), Message("user", "")),
        answer="Wellington",
    )
    text = as_text(
        report(
            before=MISSED,
            labeled=FOUND,
            after=FOUND,
            tree="dspex\n└─ cache",
            shown=shown,
            saved="my program.json",
            restarts=1,
        )
    )

    assert "openai/fake" in text
    assert "  └─ cache" in text
    assert "   system | Answer.\n          | Briefly.\n" in text
    assert "   answer | Wellington\nzero-shot | $100" in text
    assert "1 restart; no example lost" in text
    assert (
        'dspex predict "country -> capital" "country=New Zealand" '
        '--program "my program.json"'
    ) in text
