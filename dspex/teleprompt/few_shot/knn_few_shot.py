"""`KNNFewShot`: demos made for each question, of the examples nearest to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from dspex.client.budget import Budget
from dspex.core.callbacks import with_callbacks
from dspex.core.errors import ConfigurationError
from dspex.core.example import Example
from dspex.core.foreign import refuse_dspy
from dspex.core.spawner import the_spawner
from dspex.evaluate.results.result import EvaluationResult
from dspex.evaluate.running.options import RunOptions
from dspex.evaluate.working.worker import AsyncWork, Work
from dspex.programs.knn import KNN, Vectorizer
from dspex.programs.program import Program
from dspex.programs.settings import settings
from dspex.teleprompt.few_shot.bootstrap_few_shot import BootstrapFewShot
from dspex.teleprompt.few_shot.bootstrapping import Bootstrapping
from dspex.teleprompt.studies.candidate import Candidate
from dspex.teleprompt.studies.conducting import Found
from dspex.teleprompt.studies.judging import lift_of
from dspex.teleprompt.studies.order import Order, checked_budget, checked_rows
from dspex.teleprompt.studies.plan import PerRun, PlanStep, StudyPlan, counted
from dspex.teleprompt.studies.steps import Steps
from dspex.teleprompt.studies.study import Study
from dspex.teleprompt.teleprompter import Teleprompter
from supervisors import Scope, current_scope, within

P = TypeVar("P", bound=Program)


class _ForOneQuestion(Study):
    """A study of which nothing is kept; its calls are those of whoever asks it.

    So an evaluation of the program knows, and pays, all that its answers took.
    """

    def __init__(self, order: Order) -> None:
        run = "neighbours"
        super().__init__(order, run=run, steps=Steps(run), is_recorded=False)
        around = current_scope()
        self._tags = {} if around is None else around.tags

    def work(
        self,
        name: str,
        rows: Sequence[Example],
        work: Work | AsyncWork,
        options: RunOptions,
        **how: Any,
    ) -> EvaluationResult:
        """Do the work on every row."""
        if "run" not in self._tags:
            return super().work(name, rows, work, options, **how)

        def counted(example: Example) -> Any:
            with within(Scope("the demos of a question", tags=self._tags)):
                return work(example)

        return super().work(name, rows, counted, options, **how)


class Neighbours:
    """Makes demos for each question, of the examples nearest to it.

    Nothing changes it, so copies of a program share one.

    Args:
        nearest: Finds them.
        how: How demos are made of them.
        teacher: The program that makes demos; the one that is asked unless given.
        concurrency: Demos made at a time.
    """

    def __init__(
        self,
        nearest: KNN,
        how: Bootstrapping,
        teacher: Program | None,
        concurrency: int,
    ) -> None:
        self.nearest = nearest
        self.how = how
        self.teacher = teacher
        self.concurrency = concurrency

    def __deepcopy__(self, _memo: object) -> Neighbours:
        """Return itself: a copy would embed nothing anew and change nothing."""
        return self

    def taught(self, student: P, inputs: Mapping[str, Any]) -> P:
        """Return a copy of a program with demos for these inputs.

        Raises:
            EvaluationError: Too many of the examples met an error.
            MissingInputError: An input of the training set is not given.
        """
        rows = self.nearest(**inputs)
        order = Order(
            optimiser="KNNFewShot",
            student=student,
            metric=self.how.metric,
            trainset=rows,
            concurrency=self.concurrency,
            max_errors=self.how.max_errors,
        )
        study = _ForOneQuestion(order)
        taught, _ = self.how.taught(study, "demos", student, self.teacher, rows)
        return taught


class _ByNeighbours(Program):
    """Laid over the class of a student: it answers with demos for the question."""

    _neighbours: Neighbours

    def forward(self, **inputs: Any) -> Any:
        """Make demos for these inputs, and answer as the student would."""
        return self._taught(inputs)(**inputs)

    async def aforward(self, **inputs: Any) -> Any:
        """Do the same while the caller's loop goes on."""
        taught = await the_spawner().in_thread(
            lambda: self._taught(inputs), label="neighbours"
        )
        return await taught.acall(**inputs)

    def _taught(self, inputs: Mapping[str, Any]) -> Program:
        student = self.deepcopy()
        del vars(student)["_neighbours"]
        student.__class__ = type(self).__bases__[1]
        taught = self._neighbours.taught(student, inputs)
        # Making demos takes away models of its own, as in DSPy; who is asked stays.
        for mine, theirs in zip(self.predictors(), taught.predictors(), strict=True):
            theirs.lm = mine.lm
        return taught


class KNNFewShot(Teleprompter):
    """Gives each question demos of its own, made of the nearest examples.

    The training set is embedded here and now. Each call then embeds its inputs, has the
    nearest examples answered as `BootstrapFewShot` does, and asks with what it accepts.

    When to use it: with many examples of several kinds, of which few help any one
    question. When not: where calls are dear, as each question makes its demos first;
    see `BootstrapFewShot`.

    Args:
        k: Examples that are looked at for each question.
        trainset: Where they come from.
        vectorizer: `dspex.Embedder(...)`, or a function from texts to vectors.
        few_shot_bootstrap_args: What `BootstrapFewShot` takes, such as `metric`.
            `max_labeled_demos` is to be at least `k` for all of the nearest examples to
            be shown.

    Raises:
        ConfigurationError: An argument is none of `BootstrapFewShot`, or makes no
            sense.
        DataError: There is no example, or one does not say its inputs.
    """

    def __init__(
        self,
        k: int,
        trainset: Sequence[Example],
        vectorizer: Vectorizer,
        **few_shot_bootstrap_args: Any,
    ) -> None:
        self.KNN = KNN(k, trainset, vectorizer=vectorizer)
        self.few_shot_bootstrap_args = few_shot_bootstrap_args
        try:
            self._bootstrap = BootstrapFewShot(**few_shot_bootstrap_args)
        except TypeError as error:
            raise ConfigurationError(
                f"an argument is none of BootstrapFewShot: {error}. Pass what it "
                "takes, such as metric= and max_bootstrapped_demos="
            ) from None

    @with_callbacks
    def compile(
        self,
        student: P,
        *,
        teacher: Program | None = None,
        valset: Sequence[Example] | None = None,
        testset: Sequence[Example] | None = None,
        budget: Budget | None = None,
        run: str | None = None,
    ) -> P:
        """Return a copy of `student` that makes demos for each question.

        It asks nothing now, unless there is a set to judge it on.

        What is saved of it is the student, as in DSPy: the demos are made at each call.
        To use the file, compile again and load it into the result.

        Args:
            student: The program; it is left as it is.
            teacher: The program that makes demos; the student unless given.
            valset: Examples to judge the result on, beside the student; see `study`.
            testset: The same.
            budget: What the judging may spend; where it is used up the result is
                returned without a verdict.
            run: A name for this study, under which its judging is recorded.

        Raises:
            EvaluationError: The judging could not go on.
            EvaluationInterrupted: Ctrl-C during the judging; `.best_so_far` is the
                program.
        """
        refuse_dspy(student, "student")
        how = self._bootstrap.bootstrapping()
        threads = self._bootstrap.num_threads or settings.concurrency
        made = _over(student, Neighbours(self.KNN, how, teacher, threads))
        order = Order(
            optimiser="KNNFewShot",
            student=student,
            teacher=teacher,
            metric=how.metric,
            trainset=self.KNN.trainset,
            valset=checked_rows(valset, "valset"),
            testset=checked_rows(testset, "testset"),
            parameters={**how.parameters(), "k": self.KNN.k},
            run=run,
            persist=None if valset is not None or testset is not None else False,
            budget=checked_budget(budget),
            concurrency=threads,
            max_errors=how.max_errors,
            display_progress=self._bootstrap.display_progress,
        )

        def search(study: Study) -> Found[P]:
            study.report(
                Candidate(
                    number=0,
                    label=f"demos of the {self.KNN.k} nearest examples",
                    origin="made for each question",
                    state=made.dump_state(),
                    program=made,
                )
            )
            return Found(program=made, number=0, lift=lift_of(study, made))

        return self._conduct(order, search, candidates=1)

    def plan(
        self,
        student: Program,
        *,
        teacher: Program | None = None,
        valset: Sequence[Example] | None = None,
        testset: Sequence[Example] | None = None,
    ) -> StudyPlan:
        """Return what `compile` would ask, without asking it; its arguments, too.

        What it asks for each answer later is in the note.
        """
        how, rows = self._bootstrap.bootstrapping(), self.KNN.trainset[: self.KNN.k]
        chosen = checked_rows(valset if testset is None else testset, "the valset")
        judging = () if chosen is None or how.metric is None else chosen
        answer = PerRun.rehearsed(
            how.with_most_demos(student, rows), judging or rows, how.metric
        )
        demos = how.planned(student, teacher, rows, [how.max_bootstrapped_demos])
        each = (
            f"Each answer is preceded by {counted(*demos.calls)} calls, which make its "
            "demos."
        )
        many = len(judging)
        return StudyPlan(
            optimiser="KNNFewShot",
            steps=(
                PlanStep(
                    what="demos for each row that is judged",
                    least=many * demos.least,
                    most=many * demos.most,
                    each=demos.each,
                ),
                PlanStep(
                    what="the winner and the program given, judged",
                    least=2 * many,
                    most=2 * many,
                    each=answer,
                ),
            )
            if judging
            else (),
            notes=(each,),
        )


def _over(student: P, neighbours: Neighbours) -> P:
    """Return a copy of a student whose answers are those of its neighbours.

    It is of a class of its own below the student's, so its predictors and what is saved
    of it have the same names.
    """
    copy = student.deepcopy()
    kind = type(copy)
    told = {"__module__": kind.__module__, "__doc__": kind.__doc__}
    copy.__class__ = type(kind.__name__, (_ByNeighbours, kind), told)
    vars(copy)["_neighbours"] = neighbours
    return copy
