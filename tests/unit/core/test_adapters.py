from __future__ import annotations

import enum
from typing import Any, Literal

import pytest

from dspex import parse_value
from dspex.core.adapters import (
    Adapter,
    ChatAdapter,
    LineAdapter,
    adapter_named,
    chosen_adapter,
)
from dspex.core.adapters.render import render_value
from dspex.core.errors import AdapterError, AdapterParseError, ConfigurationError
from dspex.core.example import Example
from dspex.core.signature import InputField, OutputField, Signature, make_signature
from dspex.core.type_names import type_name

QA = make_signature("question -> reasoning, answer")
CAPITAL = make_signature("country -> capital", "Name the capital.")
LABEL = make_signature("word -> feeling: Literal['good', 'bad']")
DEMO = {"country": "Peru", "capital": "Lima"}


def contents(messages: Any) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in messages]


class Ticket(enum.Enum):
    OPEN = "CLOSED"
    CLOSED = "DONE"
    COUNT = 3


class TestValues:
    @pytest.mark.parametrize(
        ("text", "annotation", "value"),
        [
            (" 42 ", int, 42),
            ("'42'", int, 42),
            ("3.0", int, 3),
            ("1e3", float, 1000.0),
            ("True", bool, True),
            ("no", bool, False),
            ("None", int | None, None),
            ("null", str | None, None),
            ("text with [brackets]", str | None, "text with [brackets]"),
            ("5", int | str, 5),
            ("five", int | str, "five"),
            ("{'a': None, 'b': True}", dict[str, Any], {"a": None, "b": True}),
            ("[1, 2,", list[int], [1, 2]),
            ('```json\n{"a": 1}\n```', dict[str, int], {"a": 1}),
            ("(1, 'x')", tuple[int, str], (1, "x")),
            ("yes", Literal["yes", "no"], "yes"),
            (" 'yes' ", Literal["yes", "no"], "yes"),
            ("Literal[yes]", Literal["yes", "no"], "yes"),
            ("2", Literal[1, 2], 2),
            ("DONE", Ticket, Ticket.CLOSED),
            ("CLOSED", Ticket, Ticket.OPEN),
            ("OPEN", Ticket, Ticket.OPEN),
            ("Ticket.COUNT", Ticket, Ticket.COUNT),
            ("3", Ticket, Ticket.COUNT),
            ("hello", Any, "hello"),
        ],
    )
    def test_a_text_becomes_its_value(
        self, text: str, annotation: Any, value: Any
    ) -> None:
        parsed = parse_value(text, annotation)

        assert parsed == value
        assert type(parsed) is type(value)

    @pytest.mark.parametrize(
        ("text", "annotation"),
        [
            ("seven", int),
            ("True", int),
            ("nan", float),
            ("inf", float),
            ("[NaN]", list[float]),
            ("maybe", bool),
            ("Yes!", Literal["yes", "no"]),
            ("", int),
            ("not json", dict[str, int]),
            ("9" * 5_000, int),
            ("lost", Ticket),
        ],
    )
    def test_what_is_no_such_value_is_refused(self, text: str, annotation: Any) -> None:
        with pytest.raises(ValueError, match=r".") as caught:
            parse_value(text, annotation)

        assert not isinstance(caught.value, AdapterError)

    def test_broken_json_is_repaired_up_to_a_length(self) -> None:
        assert len(parse_value("[" + "1," * 20_000, list[int])) == 20_000
        with pytest.raises(ValueError, match="valid list"):
            parse_value("[" + "1," * 30_000, list[int])

    def test_values_that_are_no_text_are_checked_only(self) -> None:
        assert parse_value(123, str) == "123"
        assert parse_value(None, int | None) is None

    def test_half_a_character_is_replaced(self) -> None:
        assert parse_value("a\ud800b", str) == "a\ufffdb"
        assert render_value("\ud83d\ude00") == "\U0001f600"

    def test_a_list_in_a_text_field_is_numbered(self) -> None:
        assert render_value(["a", "b"], str) == "[1] «a»\n[2] «b»"
        assert render_value(["a"], str) == "«a»"
        assert render_value([], str) == "(none)"
        assert render_value(["a"], list[str]) == '["a"]'

    def test_a_value_that_holds_itself_is_refused(self) -> None:
        ring: list[Any] = []
        ring.append(ring)

        with pytest.raises(AdapterError, match="cannot be written as text"):
            render_value(ring)

    def test_an_object_nobody_knows_is_written_by_str(self) -> None:
        class Odd:
            def __str__(self) -> str:
                return "odd"

        assert render_value(Odd()) == "odd"
        with pytest.raises(ValueError, match=r"."):
            parse_value("odd", Odd)

    def test_types_are_named_as_people_write_them(self) -> None:
        assert type_name(dict[str, tuple[int, ...]]) == "dict[str, tuple[int, ...]]"
        assert type_name(Literal["a"] | None) == "Literal['a'] | None"
        assert type_name(Any) == "Any"


class TestChat:
    def test_the_prompt_has_shape_then_demos_then_the_question(self) -> None:
        messages = ChatAdapter().format(CAPITAL, [DEMO], {"country": "Chile"})

        assert [message.role for message in messages] == [
            *("system", "user", "assistant", "user")
        ]
        system = messages[0].text
        assert system.endswith(
            "[[ ## country ## ]]\n{country}\n\n[[ ## capital ## ]]\n{capital}\n\n"
            "[[ ## completed ## ]]\n\nTask: Name the capital."
        )
        assert contents(messages[1:]) == [
            ("user", "[[ ## country ## ]]\nPeru"),
            (
                "assistant",
                "[[ ## capital ## ]]\nLima\n\n[[ ## completed ## ]]\n",
            ),
            (
                "user",
                (
                    "[[ ## country ## ]]\nChile\n\n"
                    "Answer with `[[ ## capital ## ]]`, and end with "
                    "`[[ ## completed ## ]]`."
                ),
            ),
        ]

    def test_the_prompt_tells_types_descriptions_and_constraints(self) -> None:
        class Rate(Signature):
            review: str = InputField(desc="What was said.")
            stars: int = OutputField(ge=1)
            mood: Literal["good", "bad"] = OutputField()
            sure: bool = OutputField()
            tags: list[str] = OutputField()

        system, user = ChatAdapter().format(Rate, [], {"review": "Fine."})

        assert "1. `review` (str): What was said." in system.content
        assert "1. `stars` (int): [greater than or equal to: 1]" in system.content
        assert "{stars}        # a whole number" in system.content
        assert "{mood}        # one of: good; bad" in system.content
        assert '{"type": "array", "items": {"type": "string"}}' in system.content
        assert "`[[ ## sure ## ]]` (True or False)" in user.content

    def test_incomplete_demos_come_first_and_say_so(self) -> None:
        half = Example(question="q2", answer="a2")
        whole = Example(question="q1", reasoning="r1", answer="a1")
        useless = [Example(question="q3"), Example(answer="a4"), Example(other=1)]

        messages = ChatAdapter().format(QA, [whole, half, *useless], {"question": "q"})

        assert len(messages) == 6
        assert "lacks some fields" in messages[1].content
        assert "[[ ## reasoning ## ]]\n(not given" in messages[2].content
        assert "lacks" not in messages[3].content

    def test_the_first_of_a_header_counts_and_unknown_ones_are_skipped(self) -> None:
        reply = (
            "Sure!\n[[ ## other ## ]]\nx\n[[ ## answer ## ]] first\n"
            "[[ ## reasoning ## ]]\nbecause\nof it\n[[ ## answer ## ]]\nsecond"
        )

        assert ChatAdapter().parse(QA, reply) == {
            "reasoning": "because\nof it",
            "answer": "first",
        }

    def test_an_absent_output_is_its_default_or_none(self) -> None:
        signature = make_signature(
            {
                "a": InputField(),
                "b": OutputField(),
                "c": (int, OutputField(default=7)),
                "d": (int | None, OutputField()),
            }
        )

        parsed = ChatAdapter().parse(signature, "[[ ## b ## ]]\nx")

        assert parsed == {"b": "x", "c": 7, "d": None}

    def test_constraints_are_checked_on_the_answer(self) -> None:
        signature = make_signature({"a": InputField(), "b": (int, OutputField(le=5))})

        with pytest.raises(AdapterParseError, match="less than or equal to 5"):
            ChatAdapter().parse(signature, "[[ ## b ## ]]\n6")

    def test_a_refusal_says_what_was_expected_and_what_came(self) -> None:
        with pytest.raises(AdapterParseError, match="'answer' is missing") as caught:
            ChatAdapter().parse(QA, "[[ ## reasoning ## ]]\nhm " + "x" * 1_000)

        error = caught.value
        assert error.adapter_name == "ChatAdapter"
        assert error.expected == ("reasoning", "answer")
        assert error.parsed_result == {"reasoning": "hm " + "x" * 1_000}
        assert len(error.lm_response) > 1_000
        assert len(str(error)) < 600
        assert "characters)" in str(error)

    def test_no_inputs_still_asks(self) -> None:
        messages = ChatAdapter().format(make_signature("-> joke"), [{"joke": "ha"}], {})

        assert messages[-1].text.startswith("Answer with `[[ ## joke ## ]]`")
        assert messages[2].text.startswith("[[ ## joke ## ]]\nha")

    def test_it_wants_no_settings(self) -> None:
        assert ChatAdapter().settings(QA) == {}


class TestLine:
    def test_the_prompt_is_lines_that_end_at_the_answer(self) -> None:
        messages = LineAdapter().format(CAPITAL, [DEMO], {"country": "Chile"})

        assert contents(messages) == [
            ("system", "Name the capital."),
            ("user", "Country: Peru\nCapital:"),
            ("assistant", "Lima"),
            ("user", "Country: Chile\nCapital:"),
        ]

    def test_further_outputs_are_further_lines(self) -> None:
        demo = {"question": "2+2", "reasoning": "two\nand two", "answer": "4"}

        messages = LineAdapter().format(QA, [demo], {"question": "1+1"})

        assert contents(messages[1:]) == [
            ("user", "Question: 2+2\nReasoning:"),
            ("assistant", "two and two\nAnswer: 4"),
            ("user", "Question: 1+1\nReasoning:"),
        ]

    def test_a_demo_without_reasoning_asks_for_the_answer(self) -> None:
        messages = LineAdapter().format(
            QA, [{"question": "2+2", "answer": "4"}], {"question": "1+1"}
        )

        assert contents(messages[1:3]) == [
            ("user", "Question: 2+2\nAnswer:"),
            ("assistant", "4"),
        ]

    def test_the_task_names_types_and_stays_in_its_turn(self) -> None:
        signature = LABEL.with_instructions("One.\n\nTwo.\n---\nThree.")

        messages = LineAdapter().format(signature, [], {"word": "joy"})

        assert messages[0].text == (
            "One.\nTwo.\nThree.\nAbout Feeling: one of: good; bad."
        )

    def test_no_instructions_give_no_system_turn(self) -> None:
        signature = CAPITAL.with_instructions("")

        assert len(LineAdapter().format(signature, [], {"country": "Chile"})) == 1

    @pytest.mark.parametrize(
        ("reply", "answer"),
        [
            (" Lima", "Lima"),
            ("\n\n Lima \n", "Lima"),
            ("Capital: Lima", "Lima"),
            ("capital : Lima\nCapital: Cusco", "Lima"),
            ("Lima\n\n---\n\nCountry: Chile\nCapital: Santiago", "Lima"),
            ("Lima\nCountry: Chile", "Lima"),
            ("Country: Peru\nCapital: Lima", "Lima"),
            ("Lima: the capital", "Lima: the capital"),
        ],
    )
    def test_the_first_line_is_the_answer(self, reply: str, answer: str) -> None:
        assert LineAdapter().parse(CAPITAL, reply) == {"capital": answer}

    @pytest.mark.parametrize(
        ("reply", "parsed"),
        [
            ("so\nAnswer: 4", {"reasoning": "so", "answer": "4"}),
            ("Reasoning: so\nAnswer: 4", {"reasoning": "so", "answer": "4"}),
            ("Answer: 4\nReasoning: so", {"reasoning": "so", "answer": "4"}),
            ("so\nand so\nanswer:4\nAnswer: 5", {"reasoning": "so", "answer": "4"}),
        ],
    )
    def test_lines_go_to_their_fields(self, reply: str, parsed: dict[str, str]) -> None:
        assert LineAdapter().parse(QA, reply) == parsed

    @pytest.mark.parametrize(
        "reply",
        [
            *("", "\n\n", "---", "{capital}", "${capital}", "<Capital>", "[capital]"),
            *("...", "…", "____", "Capital:", "Capital: {capital}", "{ CAPITAL }"),
        ],
    )
    def test_a_place_to_fill_in_is_no_answer(self, reply: str) -> None:
        with pytest.raises(AdapterParseError, match="'capital' is missing"):
            LineAdapter().parse(CAPITAL, reply)

    @pytest.mark.parametrize("reply", ["", "great", "{feeling}", "good or bad", "goo"])
    def test_an_illegal_label_is_refused(self, reply: str) -> None:
        with pytest.raises(AdapterParseError, match="feeling") as caught:
            LineAdapter().parse(LABEL, reply)

        assert caught.value.adapter_name == "LineAdapter"
        assert caught.value.lm_response == reply

    @pytest.mark.parametrize(
        ("kind", "reply"), [("int", "many"), ("bool", "maybe"), ("float", "nan")]
    )
    def test_an_illegal_number_is_refused(self, kind: str, reply: str) -> None:
        with pytest.raises(AdapterParseError):
            LineAdapter().parse(make_signature(f"a -> b: {kind}"), reply)

    def test_empty_structures_are_values(self) -> None:
        assert LineAdapter().parse(make_signature("a -> b: list[int]"), "[]") == {
            "b": []
        }

    def test_missing_later_lines_are_refused(self) -> None:
        with pytest.raises(AdapterParseError, match="'answer' is missing"):
            LineAdapter().parse(QA, "I think so")

    def test_one_output_stops_at_its_line_several_at_a_blank_one(self) -> None:
        assert LineAdapter().settings(CAPITAL) == {"stop": ["\n"], "max_tokens": 48}
        several = LineAdapter().settings(QA)
        assert several["stop"] == ["\n\n", "\n---"]
        assert several["max_tokens"] > 48

    def test_prefixes_are_labels_unless_two_are_the_same(self) -> None:
        named = CAPITAL.with_updated_fields("capital", prefix="Chief\ncity:")
        same = named.with_updated_fields("country", prefix="CHIEF CITY")
        alike = make_signature("a_b -> aB")

        def question(signature: type[Signature], **row: str) -> str:
            return LineAdapter().format(signature, [], row)[-1].text

        assert question(named, country="Peru") == "Country: Peru\nChief city:"
        assert question(same, country="Peru") == "Country: Peru\nCapital:"
        assert question(alike, a_b="x") == "1 a_b: x\n2 aB:"

    def test_an_answer_like_a_label_or_a_separator_keeps_its_place(self) -> None:
        for answer in ("Country: Peru", "Capital: x", "---"):
            row = {"country": "Peru", "capital": answer}
            demo = LineAdapter().format(CAPITAL, [row], {"country": "Chile"})[2]

            assert LineAdapter().parse(CAPITAL, demo.text) == {"capital": answer}


class TestChoice:
    def test_names(self) -> None:
        assert isinstance(adapter_named("chat"), ChatAdapter)
        assert isinstance(adapter_named("line"), LineAdapter)

    def test_an_unknown_name_lists_the_known_ones(self) -> None:
        with pytest.raises(ConfigurationError, match=r"'chat', .*'line'.*mean 'line'"):
            adapter_named("lin")

    @pytest.mark.parametrize(
        ("configured", "wanted", "name"),
        [
            (None, None, "chat"),
            (None, "line", "line"),
            ("chat", "line", "chat"),
            (LineAdapter(), "chat", "line"),
        ],
    )
    def test_the_user_wins_over_the_model_over_chat(
        self, configured: Adapter | str | None, wanted: str | None, name: str
    ) -> None:
        assert chosen_adapter(configured, wanted).name == name
