"""Write the tables of `docs/reference/optimisers.md` from the code's own docstrings.

`python -m tests.docs.optimisers_page` writes the page; a test holds that it is up to
date.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dspex
from dspex import teleprompt
from dspex.teleprompt.studies.plan import PerRun, PlanStep
from dspex.teleprompt.studies.searched import Searched
from tests.docs.docstrings import described_arguments
from tests.docs.explained import arguments_table, explained
from tests.docs.pages import ROOT

PAGE = ROOT / "docs/reference/optimisers.md"
BEGIN, END = "<!-- names -->", "<!-- end of names -->"

OPTIMISERS = (
    "LabeledFewShot",
    "BootstrapFewShot",
    "BootstrapFewShotWithRandomSearch",
    "KNNFewShot",
    "COPRO",
    "MIPROv2",
    "GEPA",
    "Ensemble",
)
"""The optimisers, in the order of the page."""
RESULTS = ("StudyPlan", "StudyResult", "Candidate", "Lift", "BootstrapResult")
"""What one is given by them; the names are those of `dspex.teleprompt`."""
INSIDE = (PlanStep, PerRun, Searched)
"""What these hold, which has no public name."""
ALIASES = {"BootstrapRS": "BootstrapFewShotWithRandomSearch"}
"""Second names."""
APART = frozenset({"NotNeeded", "Teleprompter", "load_study"})
"""Public names of `dspex.teleprompt` that are explained below other headings."""


def written(page: str) -> str:
    """Return the page with its tables as the code has them."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    tables = "\n".join(_sections())
    return f"{before}{BEGIN}\n\n{tables}\n{END}{after}"


def _sections() -> Iterator[str]:
    home = "dspex.teleprompt"
    yield "## The optimisers\n"
    for name in OPTIMISERS:
        optimiser: Any = getattr(teleprompt, name)
        yield from explained(name, optimiser, home=home)
        for other in (alias for alias, of in ALIASES.items() if of == name):
            yield f"`{other}` is the same.\n"
        if described_arguments(optimiser.compile.__doc__):
            yield f"`{name}.compile` takes:\n"
            yield from arguments_table(optimiser.compile)
    yield "## What they have in common\n"
    yield from explained("Teleprompter", teleprompt.Teleprompter, home=home)
    yield "## What they tell\n"
    yield from explained("load_study", dspex.load_study, home="dspex")
    for name in RESULTS:
        yield from explained(name, getattr(teleprompt, name), home=home)
    yield from explained("NotNeeded", teleprompt.NotNeeded, home=home)
    for value in INSIDE:
        yield from explained(value.__name__, value, home=value.__module__)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
