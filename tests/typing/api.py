"""How the public names look to a type checker. Checked by mypy, never run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_type

import dspex
import supervisors
from dspex.client.options import ClientView
from dspex.evaluate import Evaluate, EvaluationResult, SemanticF1
from dspex.metrics import exact_match, f1
from dspex.teleprompt import BootstrapFewShot, LabeledFewShot
from dspex.testing import DummyLM, FakeProvider, Recorded, ScriptedTask


def the_ten_lines() -> None:
    dspex.configure(lm=dspex.LM("local/gemma-3-270m"))
    train, dev = dspex.load("capitals.csv", inputs=["country"]).split(train=40, seed=0)
    assert_type(train, dspex.Dataset)
    program = dspex.Predict("country -> capital")
    assert_type(program(country="Peru"), dspex.Prediction)
    evaluate = Evaluate(devset=dev, metric=exact_match("capital"))
    better = BootstrapFewShot(metric=exact_match("capital")).compile(
        program, trainset=train
    )
    assert_type(better, dspex.Predict)
    assert_type(evaluate(better), EvaluationResult)
    better.save("capital.json")


def data(rows: dspex.Dataset) -> None:
    assert_type(rows[0], dspex.Example)
    assert_type(rows[:3], dspex.Dataset)
    assert_type(rows[0].with_inputs("country"), dspex.Example)
    examples: Sequence[dspex.Example] = rows
    assert_type(examples[0], dspex.Example)


def results(result: EvaluationResult) -> None:
    assert_type(result.score, float)
    assert_type(result.stderr, float | None)
    assert_type(result.complete, bool)
    assert_type(float(result), float)


def programs(lm: dspex.LM) -> None:
    class Asks(dspex.Module):
        def __init__(self) -> None:
            self.think = dspex.ChainOfThought("question -> answer: int")

        def forward(self, question: str) -> dspex.Prediction:
            answer: dspex.Prediction = self.think(question=question)
            return answer

    program = Asks()
    assert_type(program.deepcopy(), Asks)
    assert_type(program.predictors(), list[dspex.Predict])
    assert_type(program.load("asks.json"), Asks)
    assert_type(dspex.load_program("asks", allow=["my_app"]), dspex.Program)
    assert_type(dspex.load("asks", allow_pickle=True), dspex.Program)
    assert_type(dspex.load("asks", allow=[Asks]), dspex.Program)
    assert_type(dspex.load([{"question": "?"}]), dspex.Dataset)
    program.set_lm(lm)
    assert_type(LabeledFewShot(k=3).compile(program, trainset=[]), Asks)


def signatures() -> None:
    class Capital(dspex.Signature):
        """Name the capital."""

        country: str = dspex.InputField()
        capital: str = dspex.OutputField(desc="one name")

    assert_type(dspex.Predict(Capital)(country="Peru"), dspex.Prediction)
    told = dspex.make_signature("country -> capital", "Name the capital.")
    assert_type(dspex.Predict(told)(country="Peru"), dspex.Prediction)


def as_written_for_dspy() -> None:
    class Log(dspex.BaseCallback):
        def on_lm_start(
            self, call_id: str, instance: Any, inputs: dict[str, Any]
        ) -> None: ...

    class Mine(dspex.BaseLM):
        def forward(
            self,
            prompt: str | None = None,
            messages: list[dict[str, Any]] | None = None,
            **kwargs: Any,
        ) -> Any: ...

    dspex.configure(lm=Mine("mine"), callbacks=[Log()])


def models(lm: dspex.LM) -> None:
    assert_type(lm("hello"), list[Any])
    assert_type(lm.copy(temperature=0.0), dspex.LM)
    assert_type(lm.client().view(), ClientView)
    assert_type(lm.stream("hello").reply, dspex.Reply)
    with dspex.context(lm=lm, adapter=dspex.LineAdapter()):
        pass
    with FakeProvider(answer=lambda _messages: "ok") as provider:
        assert_type(provider.base_url, str)


def the_test_kit(dev: dspex.Dataset) -> None:
    scripted = DummyLM([{"capital": "Lima"}, "no answer"], adapter=dspex.ChatAdapter())
    assert_type(scripted("hello"), list[Any])
    with Recorded("capitals.jsonl", scripted, record=True) as lm:
        assert_type(lm, Recorded)
        assert_type(lm.unused, int)
    Recorded("capitals.jsonl", lambda: dspex.LM("openai/gpt-4o-mini"))
    task = ScriptedTask(seed=1, kinds=2)
    assert_type(task.accuracy(dspex.Predict("question -> answer")), float)
    FakeProvider(answer=task.answer)
    several = {
        "exact": exact_match("answer"),
        "f1": f1("answer"),
        "judge": SemanticF1(),
    }
    result = Evaluate(devset=dev, metric=several)(task.best_program())
    assert_type(result.column_scores, dict[str, float])


def errors(error: dspex.LMError, parse: dspex.AdapterParseError) -> None:
    assert_type(error.retry_after, float | None)
    assert_type(error.status, int | None)
    assert_type(parse.parsed_result, dict[str, Any])


def runtimes(config: dspex.Config) -> None:
    with dspex.Runtime(config) as runtime:
        assert_type(runtime.tree(), supervisors.TreeNode)
        assert_type(runtime.restarts, int)
    with runtime.use() as same:
        assert_type(same, dspex.Runtime)
    dspex.shutdown()


class Adder(supervisors.Actor):
    """Adds what it is sent."""

    def on_receive(self, message: int) -> int:
        return message


def actors() -> None:
    spec = supervisors.ChildSpec(id="adder", actor=Adder, name="adder")
    root = supervisors.Supervisor.start((spec,))
    assert_type(root, supervisors.Supervisor)
    assert_type(Adder.start(), supervisors.Ref[Adder])
    assert_type(root.handle("adder"), supervisors.Handle)
