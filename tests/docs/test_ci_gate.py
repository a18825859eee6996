"""The example of a gate for CI lets through what it should, and nothing else."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

import dspex
from dspex.testing import FakeProvider
from tests.docs.pages import ROOT, blocks

SCRIPT = ROOT / "examples/ci_gate.py"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, without a key."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    spec = importlib.util.spec_from_file_location("ci_gate", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def runtime() -> Iterator[dspex.Runtime]:
    config = dspex.Config(persist=False, max_outage=0.2, breaker_failures=1)
    with dspex.Runtime(config) as running:
        yield running


def run(example: ModuleType, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["ci_gate.py", *words])
    code: int = example.main()
    return code


def without_its_instruction(example: ModuleType, folder: Path) -> None:
    """Accept a program that was never told to give the name alone."""
    dspex.Predict("country -> capital").save(folder / example.ACCEPTED)


def test_what_is_accepted_passes_its_own_gate_and_prints_what_the_page_shows(
    example: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    [shown] = [
        block.text
        for block in blocks(ROOT / "examples/README.md")
        if "May be merged" in block.text
    ]
    folder = ("--folder", str(tmp_path))
    assert run(example, monkeypatch, *folder, "--accept") == 0
    capsys.readouterr()

    assert run(example, monkeypatch, *folder) == 0
    assert capsys.readouterr().out == shown
    assert "110 examples" in (tmp_path / example.REPORT).read_text("utf-8")


def test_a_program_that_is_better_passes(example: ModuleType, tmp_path: Path) -> None:
    without_its_instruction(example, tmp_path)

    assert example.gate(tmp_path) == 0


def test_a_program_that_is_worse_does_not_pass(
    example: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(example, monkeypatch, "--folder", str(tmp_path), "--accept")
    monkeypatch.setattr(
        example, "candidate", lambda: dspex.Predict("country -> capital")
    )

    assert example.gate(tmp_path) == 1
    assert "worse than the accepted program by 100.0 points" in capsys.readouterr().out
    assert (tmp_path / example.REPORT).exists()


def test_a_program_that_raises_does_not_pass(
    example: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_its_instruction(example, tmp_path)
    broken = dspex.Predict("country -> capital")
    monkeypatch.setattr(broken, "forward", lambda **_: 1 / 0)
    monkeypatch.setattr(example, "accepted", lambda _folder: example.candidate())
    monkeypatch.setattr(example, "candidate", lambda: broken)

    assert example.gate(tmp_path) == example.NOT_BETTER


def test_an_outage_is_no_verdict(
    example: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_its_instruction(example, tmp_path)

    @contextmanager
    def gone(_rows: object) -> Iterator[dspex.LM]:
        with FakeProvider() as provider:
            lm = dspex.LM(example.MODEL, api_base=provider.base_url, api_key="fake")
            provider.stop()
            yield lm

    monkeypatch.setattr(example, "model", gone)

    assert example.gate(tmp_path) == example.TRY_AGAIN
    assert not (tmp_path / example.REPORT).exists()


def test_without_an_accepted_program_it_says_how_to_begin(
    example: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert example.gate(tmp_path) == example.NOTHING_ACCEPTED
    assert "--accept" in capsys.readouterr().out
