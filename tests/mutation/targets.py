"""Which modules are mutated, and which tests have to notice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One module, and the quick tests that hold it."""

    module: str
    """Its file's name in `supervisors/`, without the ending."""
    tests: tuple[str, ...]
    """Patterns of test files, from the project's folder."""

    @property
    def file(self) -> str:
        """The module's file, from the project's folder."""
        return f"supervisors/{self.module}.py"

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
)
"""All of them; a new module of pure decisions gets a row."""
