"""`ScriptedTask`: a task on which every program has a known accuracy, for optimisers.

A scripted model answers the task's questions right with a chance that the prompt
decides: by words in its instruction and by its demos. So what an optimiser found can be
compared with the best there is, without a model and without luck.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

from dspex.core.adapters import Adapter, ChatAdapter
from dspex.core.chat import messages_of
from dspex.core.errors import ConfigurationError, DataError
from dspex.core.example import Example
from dspex.core.lm import Message
from dspex.core.metrics import ExactMatch, exact_match
from dspex.core.prediction import Prediction
from dspex.programs.predict import Predict
from dspex.programs.program import Program
from dspex.programs.settings import context
from dspex.testing._dice import throw
from dspex.testing._items import Item, demos_in, fields_asked, item_in
from dspex.testing._offline import OfflineLM
from dspex.testing._scripted_words import Words
from dspex.testing.dummy_lm import answer_text, name_if_known

_FILLER: Final = "It is in the list."


class ScriptedTask:
    r"""A task with a planted optimum, and the model that does it.

    Each question is about an item, and its answer is that item's code. The chance that
    the model answers a question right is

    `base + word_gain * W + demo_gain * D`, at most 1,

    where W counts the planted `words` that the system turn has (in any order and case),
    and D counts the useful demos shown, at most `most_demos`. A demo is useful for a
    question when it is an example that was drawn as useful (a share of
    `useful_share`), is of the question's kind, and shows its question and the right
    code; the same one twice counts once.

    Whether a question is then answered right is drawn by seed and item: the same
    prompt has the same answer, whatever threads do, and a program with a better chance
    answers right all that a worse one does, and more.

    A prompt that asks for an instruction (a field with this word in its name), or that
    has no item in it, gets a sentence with some of the planted words and some that do
    not help, drawn by seed and prompt, in each field. With an `echo_share`, words that
    the prompt speaks of are taken up more often, the more often it does: so a search
    that tells what did well, or what was wrong, has an uphill.

    A `rollout_id` or a `seed` among the settings draws anew, answers and instructions
    (not through `FakeProvider`, whose answers see the prompt alone).

    When to use it: to test an optimiser, an ensemble or a search. When not: to test
    what a program does with given answers; that is `DummyLM`.

    Example:
        >>> task = ScriptedTask(base=0.25, words=("verbatim",), word_gain=0.25)
        >>> program = Predict("question -> answer")
        >>> task.accuracy(program)
        0.25
        >>> program.signature = program.signature.with_instructions("Copy verbatim.")
        >>> task.accuracy(program), task.accuracy(task.best_program()), task.optimum
        (0.5, 0.9, 0.9)

    Args:
        seed: Another seed, other codes, other useful examples, other luck.
        train: Examples in `trainset`.
        dev: Examples in `devset`.
        base: The chance without any help.
        words: The planted words.
        word_gain: What each of them adds.
        most_demos: Useful demos that count.
        demo_gain: What each of them adds.
        useful_share: The share of examples that are useful as demos.
        kinds: Kinds of items; a demo helps questions of its own kind.
        proposal_share: The chance of each word, planted or not, to be in an
            instruction that is proposed.
        echo_share: The chance that it is taken up because of one mention in the
            prompt; each mention is another.
        hint_share: How many of the wrong answers `feedback_metric` names a planted word
            for; for the others it names one that does not help.

    Attributes:
        trainset: Examples with `question` and `answer`, of all kinds in turn.
        devset: The same; no item is in both.

    Raises:
        ConfigurationError: A chance or a share is not from 0 to 1, or a count is below
            0 (for `kinds`: below 1).
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        train: int = 100,
        dev: int = 200,
        base: float = 0.3,
        words: Sequence[str] = ("verbatim", "lowercase"),
        word_gain: float = 0.1,
        most_demos: int = 4,
        demo_gain: float = 0.1,
        useful_share: float = 0.4,
        kinds: int = 1,
        proposal_share: float = 0.5,
        echo_share: float = 0.0,
        hint_share: float = 0.5,
    ) -> None:
        _check_shares(
            base=base,
            word_gain=word_gain,
            demo_gain=demo_gain,
            useful_share=useful_share,
            proposal_share=proposal_share,
            echo_share=echo_share,
            hint_share=hint_share,
        )
        _check_counts(train=train, dev=dev, most_demos=most_demos, kinds=kinds - 1)
        self.seed = seed
        self.base = base
        self.words = tuple(words)
        self.word_gain = word_gain
        self.most_demos = most_demos
        self.demo_gain = demo_gain
        self.useful_share = useful_share
        self.kinds = kinds
        self._words = Words(
            seed=seed,
            planted=self.words,
            proposal_share=proposal_share,
            echo_share=echo_share,
            hint_share=hint_share,
        )
        self.trainset = [self._example(number) for number in range(train)]
        self.devset = [self._example(number) for number in range(train, train + dev)]

    @property
    def metric(self) -> ExactMatch:
        """The task's metric: the answer is the example's."""
        return exact_match("answer")

    def feedback_metric(
        self,
        gold: Example,
        pred: Any,
        trace: Any = None,
        pred_name: str | None = None,  # noqa: ARG002 - GEPA's signature
        pred_trace: Any = None,
    ) -> Prediction:
        """Score as `metric` does, and say in words what was wrong; for `GEPA`.

        Of a wrong answer it tells the right one, and a word to try: one of the planted
        words that the instruction lacks, or one that does not help, drawn by seed and
        item. It knows the instruction from a trace; without one any word may be named.

        Args:
            gold: The example.
            pred: What the program gave.
            trace: The steps of its run, or `None`.
            pred_name: The predictor that words are wanted for.
            pred_trace: The steps of that predictor.

        Returns:
            A prediction with `score` (0.0 or 1.0) and `feedback`.
        """
        if self.metric(gold, pred):
            return Prediction(score=1.0, feedback="Right.")
        steps = pred_trace or trace or ()
        told = " ".join(step[0].signature.instructions for step in steps)
        hint = self._words.hint(str(item_in(str(gold["question"]))), told)
        return Prediction(
            score=0.0,
            feedback=f"Wrong: the code is {gold['answer']}. Try to answer {hint}.",
        )

    @property
    def optimum(self) -> float:
        """The best accuracy a program can have."""
        return self._capped(len(self.words), self.most_demos)

    def lm(self, adapter: Adapter | None = None) -> OfflineLM:
        """Return the model; it starts no runtime.

        Args:
            adapter: What programs ask it with; the chat adapter by default.
        """
        return _ScriptedLM(self._reply, adapter)

    def answer(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """Answer a chat of the chat adapter; pass it as `FakeProvider(answer=...)`."""
        return self._reply(messages_of(messages), ChatAdapter())

    def chance(self, messages: Sequence[Mapping[str, Any] | Message]) -> float:
        """Return the chance, from 0 to 1, that a chat's question is answered right.

        Raises:
            DataError: Its last turn asks about no item of the task.
        """
        turns = messages_of(messages)
        item = item_in(turns[-1].text)
        if item is None:
            raise DataError(
                "the last turn asks about no item of the task; a question of its "
                "trainset or devset was expected. Pass the example's question on."
            )
        told = " ".join(turn.text for turn in turns if turn.role == "system")
        return self._capped(self._words.planted_in(told), self._demos_for(item, turns))

    def accuracy(
        self, program: Callable[..., Any], examples: Sequence[Example] | None = None
    ) -> float:
        """Return a program's true accuracy, the mean of its chances; no luck is in it.

        The program runs once on each example, in this thread, with a model that answers
        right. Where it asks about an example more than once, the last call counts.

        Args:
            program: Its predictors are asked through a copy, whatever models they have.
            examples: `devset` by default.

        Raises:
            DataError: It asked nothing about one of them.
        """
        rows = self.devset if examples is None else examples
        measuring = _MeasuringLM(self.chance, self._code)
        if isinstance(program, Program):
            program = program.deepcopy()
            program.set_lm(measuring)
        with context(lm=measuring, adapter=None, trace=None):
            chances = [measuring.chance_of(program, row) for row in rows]
        return round(sum(chances) / len(chances), 12) if chances else 0.0

    def is_useful(self, example: Example) -> bool:
        """Say whether an example helps as a demo, for questions of its kind."""
        item = item_in(str(example["question"]))
        return item is not None and self._is_useful(item)

    def best_program(self) -> Predict:
        """Return a program that has the optimum.

        Raises:
            DataError: The trainset has too few useful examples of some kind.
        """
        program = Predict("question -> answer")
        told = f"{program.signature.instructions} {' '.join(self.words)}".strip()
        program.signature = program.signature.with_instructions(told)
        for kind in range(self.kinds):
            useful = [row for row in self._of_kind(kind) if self.is_useful(row)]
            if len(useful) < self.most_demos:
                raise DataError(
                    f"the trainset has {len(useful)} useful examples of kind {kind}; "
                    f"{self.most_demos} are needed for the optimum. Make train= or "
                    "useful_share= larger."
                )
            program.demos += useful[: self.most_demos]
        return program

    def _of_kind(self, kind: int) -> Iterator[Example]:
        items = ((item_in(row["question"]), row) for row in self.trainset)
        return (row for item, row in items if item and item.kind == kind)

    def _example(self, number: int) -> Example:
        item = Item(kind=number % self.kinds, number=number)
        question = f"What is the code of {item}?"
        row = Example(question=question, answer=self._code(item))
        return row.with_inputs("question")

    def _capped(self, words: int, demos: int) -> float:
        helped = min(demos, self.most_demos)
        chance = self.base + self.word_gain * words + self.demo_gain * helped
        # Ten tenths are to be one.
        return min(1.0, round(chance, 12))

    def _demos_for(self, asked: Item, turns: Sequence[Message]) -> int:
        useful = {
            item
            for item, answer in demos_in(turns)
            if item.kind == asked.kind
            and self._is_useful(item)
            and self._code(item) in answer
        }
        return len(useful)

    def _is_useful(self, item: Item) -> bool:
        return throw(self.seed, "useful", item.number) < self.useful_share

    def _code(self, item: Item) -> str:
        return blake2b(f"{self.seed}/{item}".encode(), digest_size=4).hexdigest()

    def _reply(
        self, turns: Sequence[Message], adapter: Adapter, rollout: str = ""
    ) -> str:
        asked = fields_asked(turns)
        item = item_in(turns[-1].text)
        if item is None or any("instruction" in name for name in asked):
            whole = "\n".join(turn.text for turn in turns)
            proposal = self._words.proposal(whole, rollout)
            return answer_text(adapter, dict.fromkeys(asked, proposal))
        luck = throw(self.seed, f"luck{rollout}", item.number)
        code = self._code(item)
        said = code if luck < self.chance(turns) else f"not {code[::-1]}"
        return answer_text(adapter, {**dict.fromkeys(asked, _FILLER), "answer": said})


class _ScriptedLM(OfflineLM):
    """Answers the task's questions; see `ScriptedTask`."""

    def __init__(
        self,
        reply: Callable[[Sequence[Message], Adapter, str], str],
        adapter: Adapter | None,
    ) -> None:
        super().__init__("scripted-task", adapter=name_if_known(adapter), cache=False)
        self._reply = reply
        self._writer = adapter or ChatAdapter()

    def forward(self, messages: list[dict[str, Any]], **settings: Any) -> list[str]:
        """Answer as often as `n` says, each time with other luck."""
        turns = messages_of(messages)
        drawn = [settings[key] for key in ("rollout_id", "seed") if key in settings]
        rollouts = [
            "".join(f" {number}" for number in (*drawn, *([at] if at else [])))
            for at in range(settings.get("n") or 1)
        ]
        return [self._reply(turns, self._writer, each) for each in rollouts]


class _MeasuringLM(OfflineLM):
    """Answers right and keeps the chances, by item."""

    def __init__(
        self,
        chance: Callable[[Sequence[Message]], float],
        code: Callable[[Item], str],
    ) -> None:
        super().__init__("scripted-task", cache=False)
        self._chance = chance
        self._code = code
        self._chances: dict[Item, float] = {}
        # Protects the chances: a program may ask from threads of its own.
        self._lock = threading.Lock()

    def forward(self, messages: list[dict[str, Any]], **_settings: Any) -> str:
        turns = messages_of(messages)
        item = item_in(turns[-1].text)
        fields = dict.fromkeys(fields_asked(turns), _FILLER)
        if item is not None:
            with self._lock:
                self._chances[item] = self._chance(turns)
            fields["answer"] = self._code(item)
        return answer_text(ChatAdapter(), fields)

    def chance_of(self, program: Callable[..., Any], row: Example) -> float:
        """Run a program on an example, and return the chance it had."""
        item = item_in(str(row["question"]))
        program(**row.inputs())
        with self._lock:
            chance = None if item is None else self._chances.pop(item, None)
        if chance is None:
            raise DataError(
                "the program asked its model nothing about an example; each question "
                "was to reach the model. Pass the question on as it is."
            )
        return chance


def _check_shares(**shares: float) -> None:
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ConfigurationError(
                f"{name}={share!r} is no chance; expected a number from 0 to 1. Pass "
                f"{name}=0.1 for a small one."
            )


def _check_counts(**counts: int) -> None:
    for name, count in counts.items():
        if count < 0:
            raise ConfigurationError(
                f"{name} is too small for a ScriptedTask; it counts examples, demos or "
                f"kinds. Make {name} larger."
            )
