"""What can be found out about dspex on this machine, without any request."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path

import dspex
from dspex.cache.contents import disk_bytes
from dspex.cache.files import cache_file
from dspex.cache.soundness import check_file
from dspex.cache.trouble import CacheFileError
from dspex.cli.units import size_text
from dspex.client.examination import Finding, failed, ok, unknown
from dspex.client.local.models import KNOWN, resolve_local
from dspex.client.providers.model_strings import KNOWN_PROVIDERS, LOCAL_PREFIX
from dspex.core.errors import ConfigurationError

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def check_up(home: Path, env: Mapping[str, str]) -> Iterator[Finding]:
    """Look at this machine.

    Args:
        home: Where dspex keeps its files.
        env: The environment; of keys and proxies only the names are told.
    """
    system = f"{platform.system()} {platform.machine()}"
    python = platform.python_version()
    yield ok("dspex", f"{dspex.__version__}, Python {python}, {system}")
    yield _home(home)
    yield _cache(cache_file(home))
    yield _set("keys", sorted(_key_variables()), env)
    yield _set("proxies", [*_PROXIES, *map(str.lower, _PROXIES)], env)
    for name in KNOWN:
        yield _local(name, home)


def _home(home: Path) -> Finding:
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    if os.access(there, os.W_OK | os.X_OK):
        what = "" if there == home else ", made when something is kept"
        return ok("home", f"{home}{what}")
    return failed(
        "home",
        ConfigurationError(
            f"{str(there)!r} cannot be written; the folder of dspex was expected there "
            f"({home}). Give yourself the right, or set DSPEX_HOME to another folder."
        ),
    )


def _cache(path: Path) -> Finding:
    try:
        if not path.is_symlink() and not path.exists():
            return ok("cache", "no answer is kept yet")
        check_file(path)
    except CacheFileError as error:
        return failed("cache", error)
    except OSError as error:
        return unknown("cache", f"{path} cannot be looked at: {error.strerror}")
    return ok("cache", f"sound, {size_text(disk_bytes(path))}")


def _key_variables() -> set[str]:
    return {known.key_variable for known in KNOWN_PROVIDERS.values()}


def _set(name: str, variables: list[str], env: Mapping[str, str]) -> Finding:
    """Which variables are set; never what they hold."""
    there = [variable for variable in variables if env.get(variable)]
    return ok(name, f"set: {', '.join(there)}" if there else "none are set")


def _local(name: str, home: Path) -> Finding:
    model = f"{LOCAL_PREFIX}/{name}"
    try:
        found = resolve_local(name)
    except ConfigurationError as error:
        return unknown("local", f"{model} is not installed: {error}")
    if found.is_ready(home):
        return ok("local", f"{model} is ready")
    return ok("local", f"{model} is installed; its file is made at the first call")
