"""`Teleprompter`: what all optimisers are, with DSPy's name."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from dspex.evaluate.metric import metric_name
from dspex.programs.program import Program
from dspex.teleprompt.studies.conducting import Search, conduct
from dspex.teleprompt.studies.order import Order
from dspex.teleprompt.studies.study_result import StudyResult

P = TypeVar("P", bound=Program)


class Teleprompter:
    """An optimiser: makes a better program of a program and examples.

    Its `compile` returns a new program; student and teacher stay as they are.

    Attributes:
        study: What the last `compile` tried, chose and spent, also when it was
            interrupted; `None` before the first.
    """

    callback_kind: ClassVar[str] = "compile"

    study: StudyResult | None = None

    def get_params(self) -> dict[str, Any]:
        """Return the optimiser's settings by name."""
        return {
            name: value
            for name, value in vars(self).items()
            if not name.startswith("_") and name not in {"study", "result"}
        }

    def __repr__(self) -> str:
        metric = getattr(self, "metric", None)
        told = "" if metric is None else f"metric={metric_name(metric)}"
        return f"{type(self).__name__}({told})"

    def _conduct(
        self, order: Order, search: Search[P], *, candidates: int | None = None
    ) -> P:
        def told(result: StudyResult) -> None:
            self.study = result

        return conduct(order, search, told, candidates=candidates).program
