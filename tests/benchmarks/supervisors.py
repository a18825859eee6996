"""What `supervisors` costs beside stock Pykka and plain threads, in one run.

Run it with `python -m tests.benchmarks.supervisors [--json] [--only CASE ...]
[--repeat N] [--small]`. The contestants of a case take turns, each in a process of its
own, so that a machine that grows busy meanwhile is unfair to none. A figure is the
median over the turns; beside it stands the median of its ratios to stock Pykka, taken
turn by turn. The contestants themselves are in `tests.benchmarks.contestants`.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

STOCK = "stock"
"""The contestant that the others are compared with."""

PATIENCE = 300.0
"""Seconds one contestant may take before it is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a figure should be at most."""

    contestant: str
    figure: str
    most: float
    to_stock: bool = False
    """Whether `most` is a share of stock Pykka's figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question and those who answer it."""

    name: str
    about: str
    contestants: tuple[str, ...]
    size: int
    small: int
    """The size that only shows that it runs."""
    aims: tuple[Aim, ...] = ()


WAYS = ("ref", "handle", "pykkas", STOCK, "plain")

CASES = (
    Case(
        name="spawn",
        about="start one and wait for its end",
        contestants=("task", "child", "actor", STOCK, "plain"),
        size=2000,
        small=10,
        aims=(Aim(contestant="task", figure="cpu_us", most=0.2, to_stock=True),),
    ),
    Case(
        name="ask",
        about="one caller asks and waits for the answer",
        contestants=WAYS,
        size=5000,
        small=10,
        aims=tuple(
            Aim(contestant=way, figure=figure, most=0.7, to_stock=True)
            for way in ("ref", "handle")
            for figure in ("cpu_us", "wall_us")
        ),
    ),
    Case(
        name="ask_at_once",
        about="64 callers ask the same one",
        contestants=WAYS,
        size=6400,
        small=64,
    ),
    Case(
        name="tell",
        about="send one and have it handled",
        contestants=WAYS,
        size=20_000,
        small=20,
    ),
    Case(
        name="recovery",
        about="from a crash to the answer of the next incarnation",
        contestants=("handle",),
        size=500,
        small=5,
        aims=(Aim(contestant="handle", figure="median_ms", most=1.0),),
    ),
    Case(
        name="idle",
        about="memory of 10,000 idle ones",
        contestants=("child", "actor", STOCK, "plain"),
        size=10_000,
        small=20,
        aims=(
            Aim(contestant="child", figure="rss_mb", most=250.0),
            Aim(contestant="actor", figure="rss_mb", most=250.0),
        ),
    ),
    Case(
        name="snapshot",
        about="a picture of 1,000 actors",
        contestants=("flat", "nested"),
        size=1000,
        small=20,
        aims=(
            Aim(contestant="flat", figure="median_ms", most=20.0),
            Aim(contestant="nested", figure="median_ms", most=20.0),
        ),
    ),
    Case(
        name="beside",
        about="start one and wait for its end, beside others that live",
        contestants=("task", "child", "actor", STOCK),
        size=5000,
        small=10,
        aims=tuple(
            Aim(contestant=contestant, figure="growth", most=1.3)
            for contestant in ("task", "child", "actor")
        ),
    ),
)

Turns = dict[str, list[dict[str, float]]]
"""The figures of each contestant, one entry a turn."""


def measure(*works: tuple[Case, str, int]) -> Iterator[dict[str, float]]:
    """Let contestants do their work, each in its size, in one fresh process."""
    words = [f"{case.name}/{contestant}={size}" for case, contestant, size in works]
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.contestants", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    yield from json.loads(done.stdout)


def small_turns(cases: list[Case]) -> dict[str, Turns]:
    """One small turn of every case. Nobody reads the figures: one process is enough."""
    works = [
        (case, contestant, case.small)
        for case in cases
        for contestant in case.contestants
    ]
    turns: dict[str, Turns] = {case.name: {} for case in cases}
    for (case, contestant, _), figures in zip(works, measure(*works), strict=True):
        turns[case.name][contestant] = [figures]
    return turns


def take_turns(case: Case, repeat: int) -> Turns:
    """Measure the contestants of a case, in turns."""
    turns: Turns = {contestant: [] for contestant in case.contestants}
    for _ in range(repeat):
        for contestant in case.contestants:
            turns[contestant] += measure((case, contestant, case.size))
    return turns


def summary(turns: Turns) -> dict[str, Any]:
    """Medians, samples and ratios to stock of each contestant's figures.

    Example:
        >>> turns = {"task": [{"us": 2.0}, {"us": 3.0}], "stock": [{"us": 4.0}] * 2}
        >>> summary(turns)["task"]["us"]
        {'median': 2.5, 'samples': [2.0, 3.0], 'to_stock': 0.625}
    """
    told: dict[str, Any] = {}
    for contestant, all_figures in turns.items():
        told[contestant] = {}
        for figure in all_figures[0]:
            samples = [figures[figure] for figures in all_figures]
            facts: dict[str, Any] = {
                "median": statistics.median(samples),
                "samples": samples,
            }
            if STOCK in turns:
                others = [figures[figure] for figures in turns[STOCK]]
                pairs = zip(samples, others, strict=True)
                facts["to_stock"] = statistics.median(a / b for a, b in pairs if b)
            told[contestant][figure] = facts
    return told


def judge(case: Case, told: dict[str, Any]) -> list[dict[str, Any]]:
    """Say of each aim of a case what was measured and whether it is met."""
    verdicts = []
    for aim in case.aims:
        facts = told[aim.contestant][aim.figure]
        measured = facts["to_stock" if aim.to_stock else "median"]
        met = measured <= aim.most
        verdicts.append(
            {"case": case.name, **asdict(aim), "measured": measured, "met": met}
        )
    return verdicts


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "versions": {
            name: importlib.metadata.version(name) for name in ("pykka", "structlog")
        },
    }


def show(report: dict[str, Any]) -> None:
    """Print the report for people."""
    for name, case in report["cases"].items():
        print(f"{name}: {case['about']}")
        for contestant, figures in case["contestants"].items():
            cells = (cell(figure, facts) for figure, facts in figures.items())
            print(f"  {contestant:8}" + "".join(cells))
    print("aims")
    for aim in report["aims"]:
        unit = "of stock" if aim["to_stock"] else ""
        print(
            f"  {'met   ' if aim['met'] else 'MISSED'}  "
            f"{aim['case']}/{aim['contestant']} {aim['figure']} "
            f"{aim['measured']:.3g}, at most {aim['most']:g} {unit}".rstrip()
        )
    print(", ".join(f"{key} {report[key]}" for key in (*machine(), "load_average")))


def cell(figure: str, facts: dict[str, Any]) -> str:
    """One figure as text, with its ratio to stock where there is one."""
    ratio = f" ({facts['to_stock']:.2f})" if "to_stock" in facts else ""
    return f"{figure:>16} {facts['median']:>8.4g}{ratio}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", nargs="+", choices=[case.name for case in CASES])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="only show that it runs")
    options = parser.parse_args()
    cases = [case for case in CASES if not options.only or case.name in options.only]
    report: dict[str, Any] = {
        **machine(),
        "load_average": [os.getloadavg()[0]],
        "small": options.small,
        "repeat": 1 if options.small else options.repeat,
        "cases": {},
        "aims": [],
    }
    if options.small:
        turns = small_turns(cases)
    else:
        turns = {case.name: take_turns(case, options.repeat) for case in cases}
    for case in cases:
        told = summary(turns[case.name])
        report["cases"][case.name] = {
            "about": case.about,
            "size": case.small if options.small else case.size,
            "contestants": told,
        }
        report["aims"] += judge(case, told)
    report["load_average"].append(os.getloadavg()[0])
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        show(report)


if __name__ == "__main__":
    main()
