from hypothesis import given
from hypothesis import strategies as st

from dspex.testing import answers_by_input, chat_answer, inputs_of

names = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
values = st.from_regex(r"[A-Za-z][A-Za-z .,]{0,20}[a-z]", fullmatch=True)


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": "S"}, {"role": "user", "content": text}]


@given(fields=st.dictionaries(names, values, max_size=4))
def test_framed_fields_are_read_back(fields: dict[str, str]) -> None:
    found = inputs_of(user(chat_answer(**fields)))

    assert found == {**fields, "completed": ""}


def test_last_user_message_counts() -> None:
    demo = user("[[ ## country ## ]]\nPeru")
    told = {"role": "assistant", "content": chat_answer(capital="Lima")}
    asked = user("[[ ## country ## ]]\nChile\n\nAnswer now.")

    found = inputs_of([*demo, told, *asked])

    assert found == {"country": "Chile"}


def test_values_before_the_last_keep_their_empty_lines() -> None:
    text = "[[ ## a ## ]]\none\n\ntwo\n\n[[ ## b ## ]]\nthree\n\nAnswer."

    assert inputs_of(user(text)) == {"a": "one\n\ntwo", "b": "three"}


def test_message_without_frames_has_no_inputs() -> None:
    assert inputs_of(user("Hello [[ ## not at the start ## ]]")) == {}
    assert inputs_of([]) == {}


def test_table_is_looked_up_by_any_input() -> None:
    answer = answers_by_input(
        {"Peru": {"capital": "Lima"}, "raw": "as it is"}, otherwise={"capital": "?"}
    )

    asked = [
        answer(user(f"[[ ## x ## ]]\nno\n\n[[ ## y ## ]]\n{value}"))
        for value in ("Peru", "raw", "Chile")
    ]

    assert asked == [chat_answer(capital="Lima"), "as it is", chat_answer(capital="?")]
