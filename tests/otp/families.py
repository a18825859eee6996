"""The fixed families of golden traces that are carried, and how many cases each has."""

from __future__ import annotations

import pytest

from tests.otp import trace
from tests.otp.trace import GOLDEN

FAMILIES = {
    "auto_shutdown": 35,
    "batch": 32,
    "batch_crowd": 46,
    "child_calls": 28,
    "dynamic": 45,
    "intensity": 25,
    "nested": 27,
    "one_for_all": 30,
    "one_for_one": 30,
    "rest_for_one": 30,
    "restart_failure": 33,
    "shutdown": 25,
    "signals": 16,
    "simple_one_for_one": 21,
    "startup": 21,
}
CASES = [
    pytest.param(case, id=case["name"])
    for family in FAMILIES
    for case in trace.cases_in(GOLDEN / f"{family}.json")
]
