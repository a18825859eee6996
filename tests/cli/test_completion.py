"""What a shell completes, and the script that makes it ask."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

import dspex
from dspex.cli.completion import SHELLS, VARIABLE
from dspex.cli.main import main
from dspex.testing import FakeProvider, Hang
from tests.cli.conftest import Run
from tests.repl.terminal import ENTER, TAB, Terminal


def completed(*words: str) -> list[str]:
    """What may stand in place of the last word."""
    asked = ShellComplete(main, {}, "dspex", VARIABLE)
    return [item.value for item in asked.get_completions(list(words[:-1]), words[-1])]


@pytest.fixture
def recorded(run: Run, capitals: Path, there: tuple[str, ...]) -> None:
    """Two runs that are recorded."""
    for name in ("first", "second"):
        done = run(
            *("evaluate", "country -> capital", capitals, "--run", name),
            *("--metric", "exact_match:capital", *there),
        )
        assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("show",),
        ("resume",),
        ("report",),
        ("export",),
        ("compare", "second"),
        ("runs", "delete"),
        ("evaluate", "a -> b", "--run"),
    ],
)
@pytest.mark.usefixtures("recorded")
def test_names_of_runs_are_completed(words: tuple[str, ...]) -> None:
    assert completed(*words, "f") == ["first"]
    assert completed(*words, "nothing") == []


def test_models_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.gguf").touch()
    (tmp_path / "notes.txt").touch()

    assert completed("predict", "--model", "open") == ["openai/", "openrouter/"]
    assert completed("doctor", "anth") == ["anthropic/"]
    assert completed("demo", "--model", "local/") == [
        "local/gemma-3-270m",
        "local/tiny.gguf",
    ]


def test_commands_options_and_metrics_are_completed() -> None:
    assert completed("conf") == ["config"]
    assert completed("evaluate", "--fail") == ["--fail-under"]
    assert completed("evaluate", "--metric", "ex") == ["exact_match:"]
    assert completed("completion", "") == ["bash", "zsh", "fish"]


def test_a_configuration_that_is_wrong_hinders_no_completion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dspex.toml").write_text("persist = 1\n", encoding="utf-8")

    assert completed("show", "f") == []
    assert completed("evaluate", "--fail") == ["--fail-under"]


@pytest.mark.parametrize("shell", SHELLS)
def test_each_script_asks_this_program(shell: str, run: Run) -> None:
    done = run("completion", shell)

    assert done.exit_code == 0
    assert f"{VARIABLE}={shell}_complete" in done.stdout


def in_shell(shell: str, script: str, folder: Path) -> str:
    """What a real shell prints, where `dspex` is this program."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    command = folder / "dspex"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dspex "$@"\n')
    command.chmod(0o755)
    plain = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [shell, *plain, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{folder}:{os.environ['PATH']}",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


BASH = """
eval "$(dspex completion bash)"
complete -p dspex
for words in "dspex conf" "dspex evaluate --fail" "dspex completion z"; do
    COMPREPLY=() COMP_WORDS=($words)
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _dspex_completion_of_whole_words dspex
    echo "${COMPREPLY[@]}"
done
"""
ZSH = """
autoload -Uz compinit
compinit -u -d ./dump
eval "$(dspex completion zsh)"
echo ${_comps[dspex]}
compadd() { local name=${@[-1]}; print -r -- ${(P)name} }
_describe() { local name=$3 found; found=${(P)name}; print -r -- ${found%%:*} }
words=(dspex conf); CURRENT=2; _dspex_completion
words=(dspex evaluate --fail); CURRENT=3; _dspex_completion
words=(dspex completion z); CURRENT=3; _dspex_completion
"""
FISH = """
dspex completion fish > dspex.fish
source dspex.fish
complete -C "dspex conf"
complete -C "dspex evaluate --fail"
complete -C "dspex completion z"
"""


@pytest.mark.parametrize(
    ("shell", "script"), [("bash", BASH), ("zsh", ZSH), ("fish", FISH)]
)
def test_a_real_shell_completes_with_its_script(
    shell: str, script: str, tmp_path: Path
) -> None:
    told = in_shell(shell, script, tmp_path)

    if shell != "fish":
        assert "_dspex_completion" in told.splitlines()[0]
    words = [line.split("\t")[0].strip() for line in told.splitlines()][-3:]
    assert words == ["config", "--fail-under", "zsh"]


STUB = """#!/bin/sh
if [ -n "$_DSPEX_COMPLETE" ] || [ "$1" = completion ]; then
    exec "{python}" -m dspex "$@"
fi
printf '<%s>' "$@"
"""


@pytest.mark.parametrize(
    ("typed", "ended", "word"),
    [
        # What goes on is left open, and no file is taken for the end of a metric.
        ("--metric ex", "capital", "exact_match:capital"),
        ("--metric exact_match:ca", "pital", "exact_match:capital"),
        ("--metric=ex", "capital", "--metric=exact_match:capital"),
        ("--model openai", "gpt", "openai/gpt"),
        ("--data ca", "", "capitals.csv"),
    ],
)
def test_bash_completes_words_with_a_colon(
    typed: str, ended: str, word: str, tmp_path: Path
) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash here")
    (tmp_path / "capitals.csv").touch()
    command = tmp_path / "dspex"
    command.write_text(STUB.format(python=sys.executable))
    command.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TERM": "dumb"}
    with Terminal([bash, "--norc", "--noprofile"], tmp_path, env) as terminal:
        terminal.type("source <(dspex completion bash); echo read''y" + ENTER)
        terminal.expect("ready")
        terminal.type(f"dspex evaluate {typed}{TAB}{ended}{ENTER}")
        terminal.expect(f"<{word}>")


def test_runs_that_go_on_and_their_processes_are_completed(
    provider: FakeProvider,
) -> None:
    provider.misbehave(Hang())
    lm = dspex.LM("openai/fake", api_base=provider.base_url, api_key="sk-1")
    rows = dspex.load([{"country": "Peru", "capital": "Lima"}], inputs=["country"])
    evaluate = dspex.Evaluate(
        devset=rows, metric=dspex.metrics.exact_match("capital"), run="living"
    )
    with dspex.Runtime(), dspex.context(lm=lm):
        run = evaluate.start(dspex.Predict("country -> capital"))
        provider.wait_for_in_flight(1, timeout=30)

        names = [completed(verb, "li") for verb in ("pause", "stop", "why")]
        pids = completed("tree", "--pid", "")

        run.stop()

    assert names == [["living"]] * 3
    assert str(os.getpid()) in pids
    assert completed("stop", "li") == []
