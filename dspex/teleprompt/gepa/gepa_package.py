"""The package `gepa`, which decides how instructions evolve, and what it asks of us.

It keeps no state of its own in files: a search that goes on is begun anew, and what was
done before is recalled by the study.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from dspex.core.errors import ConfigurationError
from dspex.core.example import Example
from dspex.teleprompt.gepa.reflection import Texts, Told
from dspex.teleprompt.gepa.rollouts import Rollout


class Candidates(Protocol):
    """Who runs candidates and makes new ones."""

    def rolled_out(self, texts: Texts, rows: Sequence[Example]) -> list[Rollout]:
        """Run a candidate on rows; it may put other texts into `texts`."""
        ...

    def told(
        self, texts: Texts, rollouts: Sequence[Rollout], names: Sequence[str]
    ) -> dict[str, list[Told]]:
        """Return what there is to say of some predictors in such runs."""
        ...

    def proposed(
        self, texts: Texts, told: Mapping[str, Sequence[Told]], names: Sequence[str]
    ) -> Texts:
        """Return new instructions for some predictors."""
        ...

    def measured(self, number: int, texts: Texts, parents: Sequence[int]) -> None:
        """Hear that a candidate was run on all rows to choose by, just before."""
        ...


def best_of_evolution(
    candidates: Candidates, seed_candidate: Texts, **options: Any
) -> int:
    """Let instructions evolve, and return the number of the best candidate.

    Args:
        candidates: Who does what the package decides.
        seed_candidate: The first candidate.
        options: What `gepa.optimize` takes besides.

    Raises:
        ConfigurationError: The package is not installed.
        BaseException: What `candidates` raised, whatever the package would do of it.
    """
    gepa = import_gepa()
    told = _Told(candidates)
    callbacks = [told, *options.pop("callbacks", ())]
    try:
        result = gepa.optimize(
            seed_candidate=seed_candidate,
            adapter=_Adapter(candidates, gepa.EvaluationBatch),
            logger=_Quiet(),
            callbacks=callbacks,
            display_progress_bar=False,
            raise_on_exception=True,
            **options,
        )
    except _Carried as carried:
        raise carried.error  # noqa: B904 - as it was, with the cause it has
    number: int = result.best_idx
    return number


class _Carried(BaseException):
    """Carries an error past the package, which would go on without the step it hit."""

    def __init__(self, error: Exception) -> None:
        super().__init__("carried")
        self.error = error


@contextmanager
def _carrying() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - raised again where it left the package
        raise _Carried(error) from None


class _Adapter:
    """What the package asks; it is called in the search's thread."""

    def __init__(self, candidates: Candidates, batch: Any) -> None:
        self._candidates = candidates
        self._batch = batch

    def evaluate(
        self,
        batch: Sequence[Example],
        candidate: Texts,
        capture_traces: bool = False,  # noqa: FBT001, FBT002 - the package's signature
    ) -> Any:
        """Run a candidate on examples."""
        with _carrying():
            rollouts = self._candidates.rolled_out(candidate, batch)
        return self._batch(
            outputs=[each.prediction for each in rollouts],
            scores=[each.score for each in rollouts],
            trajectories=rollouts if capture_traces else None,
        )

    def make_reflective_dataset(
        self, candidate: Texts, eval_batch: Any, components_to_update: Sequence[str]
    ) -> dict[str, list[Told]]:
        """Return what there is to say of each predictor that is to be rewritten."""
        with _carrying():
            return self._candidates.told(
                candidate, eval_batch.trajectories, components_to_update
            )

    def propose_new_texts(
        self,
        candidate: Texts,
        reflective_dataset: Mapping[str, Sequence[Told]],
        components_to_update: Sequence[str],
    ) -> Texts:
        """Return new instructions."""
        if not reflective_dataset:
            return {}
        with _carrying():
            return self._candidates.proposed(
                candidate, reflective_dataset, components_to_update
            )


class _Told:
    """Hears of each candidate as soon as the package has it."""

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates

    def on_valset_evaluated(self, event: Mapping[str, Any]) -> None:
        """Pass on that a candidate was run on all rows."""
        with _carrying():
            self._candidates.measured(
                event["candidate_idx"], event["candidate"], event["parent_ids"]
            )


class _Quiet:
    """A logger of the package that says nothing: the study tells all."""

    def log(self, _message: str) -> None:
        """Say nothing."""


def import_gepa() -> Any:
    """Return the package `gepa`, which is an extra.

    Raises:
        ConfigurationError: It is not installed, or another module has its name.
    """
    try:
        import gepa
    except ImportError:
        raise ConfigurationError(
            "GEPA evolves with the package gepa, which is not installed; expected it. "
            "Install it with: pip install 'dspex[gepa]'"
        ) from None
    if not hasattr(gepa, "optimize"):
        raise ConfigurationError(
            f"the module gepa at {gepa.__file__!r} is not the package of that name; "
            "expected gepa.optimize. Name that file otherwise."
        )
    return gepa
