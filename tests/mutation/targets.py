"""Which modules are mutated, and which tests have to notice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One module, and the quick tests that hold it."""

    module: str
    """Its file's name, without the ending; no two targets share one."""
    tests: tuple[str, ...]
    """Patterns of test files, from the project's folder."""
    folder: str = "supervisors"
    """Where its file is, from the project's folder."""

    @property
    def file(self) -> str:
        """The module's file, from the project's folder."""
        return f"{self.folder}/{self.module}.py"

    def test_files(self) -> list[str]:
        """Every test file that matches, in order."""
        return sorted(
            path.relative_to(ROOT).as_posix()
            for pattern in self.tests
            for path in ROOT.glob(pattern)
        )


_DECISIONS = (
    "tests/supervisors/unit/test_decide*.py",
    "tests/supervisors/properties/test_decide*.py",
    "tests/otp/test_pure_replay.py",
)

_CLIENT = "dspex/client"
_LIMITS = (
    "tests/unit/client/test_announced.py",
    "tests/unit/client/test_limits.py",
)

TARGETS = (
    Target(
        module="_intensity",
        tests=(
            "tests/supervisors/unit/test_intensity*.py",
            "tests/supervisors/properties/test_intensity*.py",
        ),
    ),
    Target(
        module="_mailbox",
        tests=(
            "tests/supervisors/unit/test_mailbox*.py",
            "tests/supervisors/actors/test_mailbox*.py",
            "tests/supervisors/actors/test_bounded_mailbox.py",
        ),
    ),
    Target(module="_decide", tests=_DECISIONS),
    Target(module="_decide_common", tests=_DECISIONS),
    Target(module="_decide_crowd", tests=_DECISIONS),
    Target(module="_decide_dynamic", tests=_DECISIONS),
    Target(module="_decide_simple", tests=_DECISIONS),
    Target(module="limits", folder=_CLIENT, tests=_LIMITS),
    Target(module="pace", folder=_CLIENT, tests=_LIMITS),
    Target(module="announced", folder=_CLIENT, tests=_LIMITS),
    Target(module="minute", folder=_CLIENT, tests=_LIMITS),
    Target(
        module="gate",
        folder=_CLIENT,
        tests=("tests/unit/client/test_gate*.py", "tests/properties/test_gate.py"),
    ),
    Target(
        module="retry",
        folder=_CLIENT,
        tests=("tests/unit/client/test_retry.py", "tests/properties/test_retry.py"),
    ),
    Target(
        module="retry_budget",
        folder=_CLIENT,
        tests=(
            "tests/unit/client/test_retry_budget.py",
            "tests/properties/test_retry_budget.py",
        ),
    ),
    Target(
        module="fair_queue",
        folder=_CLIENT,
        tests=(
            "tests/unit/client/test_fair_queue.py",
            "tests/properties/test_fair_queue.py",
        ),
    ),
)
"""All of them; a new module of pure decisions gets a row."""
