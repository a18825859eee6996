"""What an evaluation found, and what its number covers."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dspex.core.example import Example
from dspex.core.prediction import Prediction
from dspex.core.rich_text import as_rich
from dspex.core.safe_text import safe_text
from dspex.evaluate.results.counted import Counted
from dspex.evaluate.results.outcome import Outcome
from dspex.evaluate.results.standing import score_of

if TYPE_CHECKING:
    from dspex.evaluate.compare import Comparison
    from dspex.evaluate.metric import Metric

Row = tuple[Example, Any, float]
"""An example, what the program gave for it, and its score."""


@dataclass(frozen=True, kw_only=True)
class EvaluationResult(Counted):
    """The outcome of every example, and the numbers that follow from them.

    `score` is DSPy's: 100 times the mean over all examples, failures and what was not
    measured taken as `failure_score`. While `complete` is false, `score_range` says
    between what it can still come to lie. A result compares and counts as its score.

    With several trials an example's score is the mean of its trials, and the standard
    error and the intervals take examples, not trials, as what was drawn.
    """

    examples: Sequence[Example]
    """What was evaluated, in order."""
    metrics: tuple[str, ...] = ()
    """The names of its metrics, the one that is the score first; empty when nobody said
    them."""
    run: str | None = None
    """The name of its run, for `load_run` and the command line; `None` when that is
    not recorded on disk."""

    @property
    def results(self) -> list[Row]:
        """(example, prediction, score) in input order, as in DSPy.

        Of several trials, the prediction is that of the first that has one.
        """
        return list(self.rows())

    def rows(self) -> Iterator[Row]:
        """Yield what `results` holds, row by row, for sets that fit no memory."""
        for example, trials in zip(self.examples, self.by_example(), strict=True):
            scores = [score_of(each, self.failure_score) for each in trials]
            yield example, first_prediction(trials), statistics.fmean(scores)

    def prediction(self, number: int) -> Any:
        """Return what the program gave for an example; an empty one if nothing."""
        return first_prediction(self.trials_of(number))

    @property
    def digest(self) -> str:
        """SHA-256 of each (example, trial, outcome class, score, prediction).

        Two runs with the same one measured the same, whatever happened on the way.
        """
        from dspex.evaluate.results.digest import digest_of

        return digest_of(self.outcomes, self.trials)

    def explain(self, number: int, trial: int = 0) -> str:
        """Return all that is known of an example as a text for people.

        Args:
            number: Its place in the set, from 0.
            trial: Which repetition of it, from 0.

        Raises:
            IndexError: There is no such example or trial.
        """
        from dspex.evaluate.results.explained import explained_row

        return explained_row(self, number, trial)

    @staticmethod
    def load(name: str, *, home: str | Path | None = None) -> EvaluationResult:
        """Return the result of a recorded run, as `dspex.load_run(name)` does."""
        from dspex.evaluate.results.recorded import load_run

        return load_run(name, home=home)

    def rescore(
        self, metric: Metric, *, metric_range: tuple[float, float] | None = None
    ) -> EvaluationResult:
        """Score the predictions with another metric; the program is not run again.

        Args:
            metric: As for `Evaluate`.
            metric_range: The lowest and the highest score it gives; by default that of
                this result.

        Returns:
            A new result. What has no prediction (the program failed, nothing was
            measured) stays as it is.

        Raises:
            DataError: A row was not kept whole, so that the metric would see something
                else than it did then.
        """
        from dspex.evaluate.rescore import rescored

        return rescored(self, metric, metric_range)

    def assert_better_than(
        self,
        other: EvaluationResult,
        *,
        margin: float = 0.0,
        confidence: float = 0.95,
        names: tuple[str, str] = ("this", "the other"),
    ) -> Comparison:
        """Raise unless it is shown that this is better; for tests and CI.

        Args:
            other: A result on the same examples.
            margin: Points by which it has to be better at least.
            confidence: Of the interval, which has to lie above the margin as a whole.
            names: What this and the other are called.

        Returns:
            What was found.

        Raises:
            NotBetterError: It is not shown; the error says what is.
            IncompleteResultError: One of the two is not complete.
            DataError: The two are results of different examples.
        """
        from dspex.evaluate.compare import assert_better

        return assert_better(
            self, other, margin=margin, confidence=confidence, names=names
        )

    def save_csv(self, path: str | Path, *, raw: bool = False) -> None:
        """Write the rows to a file for spreadsheets, whole or not at all.

        Fields of the example stand under `example.` and their name, those of the
        prediction under `prediction.`, further numbers of the metric under `columns.`.

        Args:
            path: The file; one that is there is replaced.
            raw: Whether texts that a spreadsheet would take for formulas are left as
                they are. By default they get an apostrophe in front.

        Raises:
            ConfigurationError: No file can be there.
            OSError: It cannot be written.
        """
        from dspex.evaluate.results.export import save_csv

        save_csv(self, path, raw=raw)

    def save_jsonl(self, path: str | Path) -> None:
        """Write the rows to a file as lines of JSON, whole or not at all.

        A value that JSON cannot hold is written as the run's record writes it: as an
        object that says under `$dspex` what it is, and has its fields, items or text.

        Args:
            path: The file; one that is there is replaced.

        Raises:
            ConfigurationError: No file can be there.
            OSError: It cannot be written.
        """
        from dspex.evaluate.results.export import save_jsonl

        save_jsonl(self, path)

    def report(
        self, path: str | Path, *, title: str = "Evaluation", rows: int = 1_000
    ) -> None:
        """Write a page to look at: drawings, failures, rows. Whole or not at all.

        It is one HTML file that reaches for nothing outside and works without its
        script. Whatever a model or a row of data says is shown as text.

        Args:
            path: The file; one that is there is replaced.
            title: What stands above it.
            rows: How many rows it shows, the worst first.

        Raises:
            ConfigurationError: No file can be there.
            OSError: It cannot be written.
        """
        from dspex.evaluate.html.report import write_report

        write_report(self, path, title=title, rows=rows)

    def _repr_html_(self) -> str:
        from dspex.evaluate.html.notebook import notebook_html

        return notebook_html(self)

    def __rich__(self) -> Any:
        return as_rich(str(self))

    def __str__(self) -> str:
        told = [f"{name} {score:.1f}" for name, score in self.column_scores.items()]
        more = [", ".join(told)] if told else []
        if self.survey.replaced:
            more.append(f"{self.score_first_attempt:.1f} by first attempts alone")
        lines = (self._headline(), *more, *self.failure_lines)
        return "\n  ".join(safe_text(line, keep="") for line in lines)

    def __repr__(self) -> str:
        causes = self.survey.causes
        failed = sum(
            each.count for each in causes if each.kind.is_final and not each.column
        )
        told = [
            f"score={self.score}, n={self.n}",
            *([f"{failed} failed"] if failed else []),
            *([] if self.complete else ["incomplete"]),
        ]
        return f"EvaluationResult({', '.join(told)})"

    def _headline(self) -> str:
        line, missing = f"{self.score:.1f}", self.not_measured
        if missing:
            low, high = (round(end, 1) for end in self.score_range)
            open_below = low < round(self.score, 1)
            span = (
                f"between {low:.1f} and {high:.1f}"
                if open_below
                else f"up to {high:.1f}"
            )
            causes = ", ".join(f"{n} {why}" for why, n in missing.items())
            unit = "" if self.trials == 1 else " trials"
            return (
                f"{line}, could be {span}: {missing.total()} of "
                f"{len(self.outcomes)}{unit} not measured ({causes})"
            )
        line += f" ± {self.stderr:.1f}" if self.stderr is not None else ""
        trials = "" if self.trials == 1 else f", {self.trials} trials each"
        return f"{line} ({self.n} examples{trials})"


def first_prediction(trials: Iterable[Outcome | None]) -> Any:
    """Return the first prediction of several trials; an empty one if there is none."""
    given = (one.prediction for one in trials if one is not None)
    return next((one for one in given if one is not None), Prediction())
