"""What the tests of the command line share: a runner and a provider that knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dspex.cli.main import main
from dspex.demo.tasks import demo_task
from dspex.testing import FakeProvider, answers_by_input

Run = Callable[..., Result]
"""Runs `dspex` with the words given."""


@pytest.fixture(autouse=True)
def _no_model_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DSPEX_MODEL", "DSPEX_TRACEBACK", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run() -> Run:
    """Run a command in this process."""
    return lambda *words: CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """A provider that knows every capital of the demo."""
    task = demo_task("capitals")
    known = {
        row["country"]: {"capital": row["capital"]} for row in (*task.train, *task.dev)
    }
    with FakeProvider(answer=answers_by_input(known)) as running:
        yield running


@pytest.fixture
def there(provider: FakeProvider) -> tuple[str, ...]:
    """The words that lead to the provider."""
    return ("--model", "fake", "--api-base", provider.base_url)


@pytest.fixture
def capitals(tmp_path: Path) -> Path:
    """Four rows, the last of them with a wrong label."""
    path = tmp_path / "capitals.csv"
    rows = ["country,capital", "Peru,Lima", "China,Beijing", "Angola,Luanda"]
    path.write_text("\n".join([*rows, "Denmark,Oslo"]) + "\n", encoding="utf-8")
    return path
