"""The fair queue against a model of plain lists, and its promises of fairness."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dspex.client.fair_queue import BATCH_TURN, FairQueue, Priority

SHARES = ("a", "b", "c")


class QueueMachine(RuleBasedStateMachine):
    """The model keeps, for each priority, its shares in the order of their turns."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = FairQueue()
        self.lines: dict[Priority, list[tuple[str, list[str]]]] = {
            priority: [] for priority in Priority
        }
        self.passed = 0
        self.pushed = 0

    @rule(
        share=st.sampled_from(SHARES),
        priority=st.sampled_from(Priority),
        first=st.booleans(),
    )
    def push(self, share: str, priority: Priority, first: bool) -> None:
        call_id = str(self.pushed)
        self.pushed += 1
        self.queue.push(call_id, share=share, priority=priority, first=first)

        line = self.lines[priority]
        ids = next((ids for name, ids in line if name == share), None)
        if ids is None:
            line.append((share, [call_id]))
        elif first:
            ids.insert(0, call_id)
        else:
            ids.append(call_id)

    @precondition(lambda self: any(self.lines.values()))
    @rule()
    def pop(self) -> None:
        batch, now = self.lines[Priority.BATCH], self.lines[Priority.INTERACTIVE]
        is_batch = bool(batch) and (not now or self.passed == BATCH_TURN - 1)
        self.passed = 0 if is_batch or not batch else self.passed + 1
        line = batch if is_batch else now
        share, ids = line.pop(0)
        expected = ids.pop(0)
        if ids:
            line.append((share, ids))

        assert self.queue.peek() == expected
        assert self.queue.pop() == expected

    @precondition(lambda self: any(self.lines.values()))
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        call_id = data.draw(st.sampled_from(self.waiting()))
        assert self.queue.remove(call_id)

        for line in self.lines.values():
            for share, ids in tuple(line):
                if call_id in ids:
                    ids.remove(call_id)
                    if not ids:
                        line.remove((share, ids))

    def waiting(self) -> list[str]:
        return [one for line in self.lines.values() for _, ids in line for one in ids]

    @invariant()
    def nobody_is_forgotten(self) -> None:
        waiting = self.waiting()
        assert len(self.queue) == len(waiting)
        assert all(call_id in self.queue for call_id in waiting)
        for priority, line in self.lines.items():
            assert self.queue.waiting(priority) == sum(len(ids) for _, ids in line)


TestFairQueue = QueueMachine.TestCase


@given(sizes=st.lists(st.integers(1, 30), min_size=1, max_size=6))
def test_no_run_is_more_than_a_turn_ahead_of_one_that_waits(sizes: list[int]) -> None:
    queue = FairQueue()
    for share, size in enumerate(sizes):
        for number in range(size):
            queue.push(f"{share}-{number}", share=str(share))

    taken = [0] * len(sizes)
    while len(queue):
        taken[int(queue.pop().split("-")[0])] += 1
        waiting = [
            count for count, size in zip(taken, sizes, strict=True) if count < size
        ]
        assert not waiting or max(taken) - min(waiting) <= 1
