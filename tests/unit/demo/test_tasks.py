"""The demo's tables: fixed, clean, and without a row on both sides."""

import hashlib

import pytest

from dspex.core.errors import ConfigurationError
from dspex.demo.tasks import TASKS, DemoTask, demo_task

CONTINENTS = {
    "Africa",
    "Asia",
    "Europe",
    "North America",
    "Oceania",
    "South America",
}


@pytest.fixture(params=TASKS)
def task(request: pytest.FixtureRequest) -> DemoTask:
    return demo_task(request.param)


def test_train_has_forty_rows_and_dev_sixty(task: DemoTask) -> None:
    assert (len(task.train), len(task.dev)) == (40, 60)


def test_no_country_is_in_train_and_dev_or_there_twice(task: DemoTask) -> None:
    countries = [row["country"] for row in (*task.train, *task.dev)]

    assert len(set(countries)) == 100


def test_rows_hold_the_fields_of_the_signature_alone(task: DemoTask) -> None:
    for row in (*task.train, *task.dev):
        assert row.inputs().keys() == ["country"]
        assert row.labels().keys() == [task.field]


def test_values_are_clean_single_lines(task: DemoTask) -> None:
    for row in (*task.train, *task.dev):
        for value in row.values():
            assert value == " ".join(value.split())
            assert value
            assert value.isascii()
            assert "," not in value


def test_every_continent_is_one_of_the_labels_in_the_signature() -> None:
    task = demo_task("continents")

    found = {row["continent"] for row in (*task.train, *task.dev)}

    assert found <= CONTINENTS
    assert all(repr(label) in task.signature for label in CONTINENTS)


def test_some_facts_everybody_knows() -> None:
    capitals = demo_task("capitals")
    known = {row["country"]: row["capital"] for row in (*capitals.train, *capitals.dev)}

    assert known["Australia"] == "Canberra"
    assert known["Peru"] == "Lima"


@pytest.mark.parametrize(
    "disputed",
    ["South Africa", "Bolivia", "Ivory Coast", "Sri Lanka", "Israel", "Kazakhstan"],
)
def test_countries_whose_capital_is_unclear_are_left_out(disputed: str) -> None:
    task = demo_task("capitals")

    assert disputed not in {row["country"] for row in (*task.train, *task.dev)}


def test_countries_on_two_continents_are_left_out() -> None:
    task = demo_task("continents")

    countries = {row["country"] for row in (*task.train, *task.dev)}

    assert countries.isdisjoint({"Russia", "Turkey", "Egypt", "Indonesia"})


@pytest.mark.parametrize(
    ("name", "digest"),
    [("capitals", "a96888cb3e6c46d9"), ("continents", "897d897f3bb2e656")],
)
def test_the_split_never_changes(name: str, digest: str) -> None:
    """Scores of different versions can be compared only on the same rows."""
    task = demo_task(name)
    rows = [list(row.values()) for row in (*task.train, *task.dev)]

    assert hashlib.sha256(repr(rows).encode()).hexdigest()[:16] == digest


def test_an_unknown_task_is_refused_with_the_names_of_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="'capitals', 'continents'"):
        demo_task("rivers")
