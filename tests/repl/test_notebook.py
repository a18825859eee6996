"""The same in Jupyter: a real kernel, with errors, an interrupt and edited code."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from dspex.testing import FakeProvider, Hang, chat_answer
from tests.docs.pages import ROOT

PATIENCE = 120.0

CELLS = {
    "model": (
        "import os, dspex\n"
        "dspex.configure(lm=dspex.LM('openai/fake', api_base={base_url!r}, "
        "api_key='sk-1'))\n"
        "program = dspex.Predict('country -> capital')\n"
        "os.getpid()"
    ),
    "ask": "program(country='<b>Peru</b>')",
    "status": "dspex.status()",
    "fails": "program(nation='Peru')",
    "hangs": "program(country='Chile')",
    "evaluates": (
        "program = dspex.ChainOfThought('country -> capital')\n"
        "rows = dspex.load([dict(country=str(n), capital='<b>Lima</b>') "
        "for n in range(30)], inputs=['country'])\n"
        "dspex.Evaluate(devset=rows, metric=lambda row, answer: "
        "row.capital == answer.capital)(program)"
    ),
}


def html_of(cell: Any) -> list[str]:
    return [
        output["data"]["text/html"]
        for output in cell.outputs
        if "text/html" in output.get("data", {})
    ]


# Jupyter's own packages warn of what is none of ours.
@pytest.mark.filterwarnings("ignore")
def test_a_notebook_goes_on_after_errors_and_interrupts_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("DSPEX_HOME", str(tmp_path / "home"))
    answer = chat_answer(reasoning="I know.", capital="<b>Lima</b>")

    version: Any = nbformat.v4
    with FakeProvider(answer=lambda _: answer) as provider:
        sources = {
            name: source.replace("{base_url!r}", repr(provider.base_url))
            for name, source in CELLS.items()
        }
        cells = {
            name: version.new_code_cell(source) for name, source in sources.items()
        }
        notebook = version.new_notebook(cells=list(cells.values()))
        client: Any = NotebookClient(
            notebook, timeout=PATIENCE, iopub_timeout=PATIENCE, allow_errors=True
        )

        def interrupt_when_it_hangs() -> None:
            provider.wait_for_in_flight(1, PATIENCE)
            asyncio.run(client.km.interrupt_kernel())
            provider.wait_for_idle(PATIENCE)
            provider.behave()

        with client.setup_kernel(cwd=str(tmp_path)):
            for number, (name, cell) in enumerate(cells.items()):
                if name == "hangs":
                    provider.misbehave(Hang())
                    hand = threading.Thread(target=interrupt_when_it_hangs)
                    hand.start()
                    client.execute_cell(cell, number)
                    hand.join(PATIENCE)
                else:
                    client.execute_cell(cell, number)

    assert "&lt;b&gt;Lima" in html_of(cells["ask"])[0]
    assert "providers" in html_of(cells["status"])[0]
    assert cells["fails"].outputs[-1]["ename"] == "UnexpectedInputError"
    assert cells["hangs"].outputs[-1]["ename"] == "KeyboardInterrupt"
    progress, result = html_of(cells["evaluates"])
    assert "30/30" in progress
    assert "100.0" in result
    assert not any(
        "<b>Lima" in html for cell in cells.values() for html in html_of(cell)
    )
    kernel = int(cells["model"].outputs[-1]["data"]["text/plain"])
    with pytest.raises(ProcessLookupError):
        os.kill(kernel, 0)
    assert sorted(path.name for path in (tmp_path / "home" / "cache").iterdir()) == [
        "answers-1.db"
    ]


TOGETHER = {
    "model": CELLS["model"],
    "await": "await program.acall(country='Peru')",
    "data": (
        "rows = dspex.load([dict(country=str(n), capital='<b>Lima</b>') "
        "for n in range(30)], inputs=['country'])\n"
        "evaluate = dspex.Evaluate(devset=rows, metric=lambda row, answer: "
        "row.capital == answer.capital)"
    ),
    "awaits a run": "result = await evaluate.acall(program, run={name!r}); result",
    "compares": "dspex.compare(result, result)",
    "optimises": (
        "better = dspex.BootstrapFewShot(metric=lambda row, answer, _: "
        "row.capital == answer.capital).compile(program, trainset=rows)"
    ),
    "begins a run": (
        "begun = evaluate.start(dspex.ChainOfThought('country -> capital'))"
    ),
}


@pytest.mark.filterwarnings("ignore")
def test_two_notebooks_work_side_by_side_and_one_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("DSPEX_HOME", str(tmp_path / "home"))
    answer = chat_answer(reasoning="I know.", capital="<b>Lima</b>")
    found: dict[str, dict[str, Any]] = {}

    async def work(name: str, base_url: str, *, times: int) -> None:
        made: Any = nbformat.v4
        put = {"{base_url!r}": repr(base_url), "{name!r}": repr(name)}
        cells = found[name] = {
            title: made.new_code_cell(
                re.sub(r"\{\w+!r\}", lambda word: put[word.group()], source)
            )
            for title, source in TOGETHER.items()
        }
        notebook = made.new_notebook(cells=list(cells.values()))
        client: Any = NotebookClient(
            notebook, timeout=PATIENCE, iopub_timeout=PATIENCE, allow_errors=True
        )
        async with client.async_setup_kernel(cwd=str(tmp_path)):
            for time in range(times):
                if time:
                    # In the middle of the run that was begun.
                    await client.km.restart_kernel(now=False)
                    await client.kc.wait_for_ready(PATIENCE)
                for number, cell in enumerate(cells.values()):
                    await client.async_execute_cell(cell, number)

    async def both(base_url: str) -> None:
        await asyncio.gather(
            work("one", base_url, times=2), work("other", base_url, times=1)
        )

    with FakeProvider(answer=lambda _: answer) as provider:
        asyncio.run(both(provider.base_url))

    assert [*(tmp_path / "home").rglob("*-wal")] == []
    for cells in found.values():
        errors = [
            cell.outputs[-1].get("ename") for cell in cells.values() if cell.outputs
        ]
        assert errors == [None] * len(errors)
        assert "&lt;b&gt;Lima" in html_of(cells["await"])[0]
        # One line that is written over, also where the run's record had it all at once.
        progress, result = html_of(cells["awaits a run"])
        assert "30/30" in progress
        assert "100.0" in result
        assert "30 tied" in html_of(cells["compares"])[0]
        assert len(html_of(cells["optimises"])) == 1
