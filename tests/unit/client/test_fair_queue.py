import pytest

from dspex.client.fair_queue import BATCH_TURN, FairQueue, Priority

NOW = Priority.INTERACTIVE


def drained(queue: FairQueue) -> list[str]:
    return [queue.pop() for _ in range(len(queue))]


def test_an_interactive_call_passes_those_of_a_batch() -> None:
    queue = FairQueue()
    queue.push("batch")
    queue.push("now", priority=NOW)

    assert drained(queue) == ["now", "batch"]


def test_runs_take_turns_however_many_calls_each_has() -> None:
    queue = FairQueue()
    for number in range(3):
        queue.push(f"big{number}", share="big")
    queue.push("small0", share="small")
    queue.push("small1", share="small")

    assert drained(queue) == ["big0", "small0", "big1", "small1", "big2"]


def test_a_call_that_goes_again_is_first_of_its_share() -> None:
    queue = FairQueue()
    for call_id in ("a", "b"):
        queue.push(call_id, share="run")

    queue.push("again", share="run", first=True)

    assert drained(queue) == ["again", "a", "b"]


def test_batches_get_every_eighth_turn_while_interactive_calls_never_stop() -> None:
    queue = FairQueue()
    for number in range(50):
        queue.push(f"now{number}", priority=NOW)
        queue.push(f"batch{number}")

    order = [queue.pop() for _ in range(4 * BATCH_TURN)]

    batch = [at for at, call_id in enumerate(order) if call_id.startswith("batch")]
    assert batch == [BATCH_TURN * turn - 1 for turn in (1, 2, 3, 4)]


def test_turns_of_batches_are_not_saved_up_while_none_waits() -> None:
    queue = FairQueue()
    for number in range(2 * BATCH_TURN):
        queue.push(f"now{number}", priority=NOW)
    for _ in range(BATCH_TURN):
        queue.pop()

    queue.push("batch")

    assert drained(queue).index("batch") == BATCH_TURN - 1


def test_peek_names_what_pop_takes_and_changes_nothing() -> None:
    queue = FairQueue()
    queue.push("a")
    queue.push("b", priority=NOW)

    assert [queue.peek(), queue.peek(), queue.pop()] == ["b", "b", "b"]
    assert FairQueue().peek() is None


def test_a_removed_id_is_gone_and_the_others_keep_their_turns() -> None:
    queue = FairQueue()
    for call_id in ("a1", "a2", "b1"):
        queue.push(call_id, share=call_id[0])

    assert queue.remove("a1")
    assert not queue.remove("a1")
    assert "a1" not in queue
    assert drained(queue) == ["a2", "b1"]


def test_pushing_an_id_again_moves_it() -> None:
    queue = FairQueue()
    queue.push("a")
    queue.push("b")

    queue.push("a", priority=NOW)

    assert (queue.waiting(NOW), queue.waiting(Priority.BATCH)) == (1, 1)
    assert drained(queue) == ["a", "b"]


def test_popping_from_an_empty_queue_says_so() -> None:
    with pytest.raises(LookupError, match="nobody waits"):
        FairQueue().pop()
