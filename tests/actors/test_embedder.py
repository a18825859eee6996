"""`Embedder`: vectors through client and cache."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

import dspex
from dspex.client.budget import Budget
from dspex.core.errors import BudgetExceededError, ConfigurationError, LMError
from dspex.runtime.embedder import Embedder
from dspex.testing import SERVER_ERROR, FakeProvider
from tests.actors.lab import STURDY, Callers


@pytest.fixture(autouse=True)
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(STURDY) as runtime:
        yield runtime


class Lengths:
    """Embeds a text as its length, and remembers what it was asked."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def __call__(self, texts: list[str], *, scale: int = 1) -> list[list[int]]:
        self.batches.append(texts)
        if "broken" in texts:
            raise ValueError(texts)
        return [[len(text) * scale] for text in texts]

    @property
    def asked(self) -> list[str]:
        return [text for batch in self.batches for text in batch]


def test_vectors_come_in_the_order_of_the_texts() -> None:
    lengths = Lengths()
    embed = Embedder(lengths, batch_size=2, name="lengths")

    vectors = embed(["ccc", "a", "bb", "a", "dddd"])

    assert vectors == [[3.0], [1.0], [2.0], [1.0], [4.0]]
    assert embed("ccc") == [3.0]
    assert embed([]) == []
    assert sorted(lengths.asked) == ["a", "bb", "ccc", "dddd"]
    assert [len(batch) for batch in lengths.batches] == [2, 2]


def test_text_is_paid_once_whatever_it_comes_with() -> None:
    lengths = Lengths()
    embed = Embedder(lengths, name="lengths")

    embed(["a", "bb"])
    vectors = embed(["bb", "ccc", "a"])

    assert vectors == [[2.0], [3.0], [1.0]]
    assert lengths.batches == [["a", "bb"], ["ccc"]]


def test_threads_and_tasks_share_what_is_cached() -> None:
    lengths = Lengths()
    embed = Embedder(lengths, batch_size=1, name="lengths")

    in_task = asyncio.run(embed.acall(["a", "bb"]))
    in_thread = embed(["bb", "a"])

    assert (in_task, in_thread) == ([[1.0], [2.0]], [[2.0], [1.0]])
    assert sorted(lengths.asked) == ["a", "bb"]


def test_callers_of_overlapping_texts_pay_each_once_and_all_end() -> None:
    lengths = Lengths()
    embed = Embedder(lengths, batch_size=3, name="lengths")
    texts = [f"{'x' * n}" for n in range(1, 30)]

    def some(start: int) -> Sequence[Sequence[float]]:
        # Each in another order, so that whoever waits in it would wait for ever.
        return embed(texts[start:] + texts[:start])

    callers = Callers([partial(some, n) for n in range(8)])

    for start, vectors in enumerate(callers.outcomes()):
        expected = texts[start:] + texts[:start]
        assert vectors == [[float(len(text))] for text in expected]
    assert sorted(lengths.asked) == sorted(texts)


def test_settings_reach_the_function_and_keep_vectors_apart() -> None:
    embed = Embedder(Lengths(), name="lengths", scale=2)

    assert embed("abc") == [6.0]
    assert embed("abc", scale=3) == [9.0]


def test_function_without_a_name_is_not_cached() -> None:
    lengths = Lengths()
    embed = Embedder(lengths)

    embed("a")
    embed("a")

    assert lengths.asked == ["a", "a"]


def test_caching_can_be_left_out() -> None:
    lengths = Lengths()
    embed = Embedder(lengths, name="lengths", caching=False)

    embed("a")
    embed("a")

    assert lengths.asked == ["a", "a"]


def test_coroutine_function_is_awaited() -> None:
    async def lengths(texts: list[str]) -> list[list[int]]:
        await asyncio.sleep(0)
        return [[len(text)] for text in texts]

    assert Embedder(lengths)(["a", "bb"]) == [[1.0], [2.0]]


def test_batches_of_a_coroutine_go_side_by_side() -> None:
    together = threading.Barrier(3)

    def lengths(texts: list[str]) -> list[list[int]]:
        together.wait(20.0)
        return [[len(text)] for text in texts]

    embed = Embedder(lengths, batch_size=1)

    assert asyncio.run(embed.acall(["a", "bb", "ccc"])) == [[1.0], [2.0], [3.0]]


@pytest.mark.parametrize("is_async", [False, True])
def test_error_of_one_batch_keeps_what_others_brought(is_async: bool) -> None:
    lengths = Lengths()
    embed = Embedder(lengths, batch_size=1, name="lengths")

    with pytest.raises(LMError, match="raised ValueError"):
        if is_async:
            asyncio.run(embed.acall(["a", "broken"]))
        else:
            embed(["a", "broken"])
    again = Callers([lambda: embed(["a"])]).outcomes()

    assert again == [[[1.0]]]
    assert lengths.asked.count("a") == 1


def test_text_that_was_owed_and_not_brought_is_brought_by_the_next() -> None:
    lengths = Lengths()
    embed = Embedder(lengths, batch_size=9, name="lengths")
    with pytest.raises(LMError):
        embed(["broken", "a"])

    again = Callers([lambda: embed(["a"])]).outcomes()

    assert again == [[[1.0]]]


def test_wrong_number_of_vectors_is_an_error() -> None:
    embed = Embedder(lambda texts: [[1.0]], name="one")

    with pytest.raises(LMError, match="returned 1 vectors for 2 texts"):
        embed(["a", "b"])


def test_budget_counts_requests_and_not_what_was_cached() -> None:
    budget = Budget(calls=1)
    embed = Embedder(Lengths(), name="lengths", budget=budget)

    embed(["a", "bb"])
    embed("a")
    with pytest.raises(BudgetExceededError):
        embed("ccc")

    assert budget.spent.calls == 1


def test_providers_model_is_asked_in_batches_and_tried_again() -> None:
    with FakeProvider() as provider:
        provider.misbehave(SERVER_ERROR, on=1)
        budget = Budget()
        embed = Embedder(
            "openai/e",
            api_base=provider.base_url,
            batch_size=2,
            budget=budget,
            dimensions=4,
        )

        vectors = embed(["one", "two", "three"])
        again = embed(["three", "one"])

        asked = [billed.body["input"] for billed in provider.bill]
        assert [billed.body["dimensions"] for billed in provider.bill] == [4] * 3
    assert asked == [["one", "two"], ["one", "two"], ["three"]]
    assert [len(vector) for vector in vectors] == [4, 4, 4]
    assert again == [vectors[2], vectors[0]]
    assert budget.spent.calls == 3
    assert budget.spent.tokens == 3


def test_vectors_survive_on_disk(tmp_path: Path) -> None:
    lengths = Lengths()

    for _ in range(2):
        config = dspex.Config(home=tmp_path)
        with dspex.Runtime(config) as runtime:
            assert Embedder(lengths, name="lengths")(["a", "bb"]) == [[1.0], [2.0]]
            runtime.cache.flush()

    assert lengths.batches == [["a", "bb"]]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Embedder(7), "was given 'int'"),  # type: ignore[arg-type] # wrong on purpose
        (lambda: Embedder("anthropic/claude", api_key="k"), "gives no embeddings"),
        pytest.param(
            lambda: Embedder("local/gemma-3-270m"),
            "gives no vectors",
            marks=pytest.mark.model,
        ),
        (lambda: Embedder("openai/e", name="x"), "has one already"),
        (lambda: Embedder(Lengths(), api_key="k"), "code of your own has none"),
        (lambda: Embedder(Lengths(), batch_size=0), "batch_size is 0"),
        (lambda: Embedder(Lengths())(["a", 7]), "inputs[1] is 'int'"),  # type: ignore[list-item] # wrong on purpose
    ],
)
def test_what_makes_no_sense_is_refused(make: object, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        make()  # type: ignore[operator] # each case is a function

    assert said in str(refused.value)


def test_it_shows_its_model() -> None:
    assert repr(Embedder(Lengths(), name="lengths")) == "Embedder('lengths')"
