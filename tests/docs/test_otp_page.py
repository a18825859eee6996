"""The page of differences from OTP agrees with the tests that hold them."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT
from tests.otp.families import FAMILIES
from tests.otp.misc import recorded
from tests.otp.test_misc_genserver import DIFFERENCES
from tests.otp.trace import GOLDEN, cases_in

TEXT = (ROOT / "docs/explanation/where-we-differ-from-otp.md").read_text("utf-8")

CROWD = "batch_crowd"
"""The family that this project recorded besides."""


def counted() -> list[int]:
    """The second column of the table of records."""
    return [
        int(count)
        for count in re.findall(r"^\| .+? \| (\d+) \| \d", TEXT, flags=re.MULTILINE)
    ]


def test_it_counts_the_cases_as_they_are() -> None:
    fixed = sum(count for family, count in FAMILIES.items() if family != CROWD)
    others = [
        len(recorded(name)) for name in ("links", "registry", "genserver", "tasks")
    ]

    assert counted() == [
        fixed,
        FAMILIES[CROWD],
        len(cases_in(GOLDEN / "random_1.json")),
        *others,
    ]


def test_it_names_each_case_of_a_server_that_differs() -> None:
    names = [name.rpartition("/")[2] for name in DIFFERENCES]

    assert [name for name in names if f"`{name}`" not in TEXT] == []
    assert f"these {len(names)} have another answer" in TEXT
