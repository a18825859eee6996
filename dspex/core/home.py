"""Where dspex keeps what lies on disk: one folder, named in one place.

Looking it up touches no file; the folder is created when something is written.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from dspex.core.errors import ConfigurationError

_logger = logging.getLogger(__name__)
# Folders that were warned of: once in a process is enough.
_warned: set[Path] = set()


def home(env: Mapping[str, str] | None = None, platform: str | None = None) -> Path:
    """Say which folder holds everything dspex writes.

    `DSPEX_HOME` wins. Else it is `dspex` in the platform's folder for user data: on
    Linux and other Unix `XDG_DATA_HOME` or `~/.local/share`, on macOS
    `~/Library/Application Support`, on Windows `%LOCALAPPDATA%`.

    Args:
        env: The environment; the process's own by default.
        platform: A value of `sys.platform`; this machine's by default.

    Returns:
        An absolute path that may not exist yet.

    Raises:
        ConfigurationError: This user has no home folder, and nothing says where else.

    Example:
        >>> home({"HOME": "/home/ada"}, "linux").as_posix()
        '/home/ada/.local/share/dspex'
        >>> home({"DSPEX_HOME": "/srv/dspex"}, "linux").as_posix()
        '/srv/dspex'
    """
    env = os.environ if env is None else env
    chosen = env.get("DSPEX_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return _user_data(env, platform or sys.platform) / "dspex"


def make_private_folder(folder: Path) -> None:
    """Create a folder, and those above it, for this user only.

    A folder that exists is left as it is: who may read it is its owner's choice. Where
    any user may write, that is warned of.
    """
    for missing in reversed([folder, *folder.parents]):
        # The mode of `mkdir(parents=True)` would hold for the last one only.
        missing.mkdir(mode=0o700, exist_ok=True)
    warn_of_others(folder)


def warn_of_others(folder: Path) -> None:
    """Warn once of each folder, this one or one above it, where any user may write.

    They can put something else in the place of what is below it. In a folder such as
    `/tmp`, where everybody may take away their own only, they cannot.
    """
    if os.name != "posix":
        return
    real = folder.resolve()
    for each in (real, *real.parents):
        mode = each.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX and each not in _warned:
            _warned.add(each)
            _logger.warning(
                "any user may write in %r, and put something else in the place of what "
                "dspex keeps there; a folder of yours was expected. Take that right "
                "away (chmod o-w), or choose another folder.",
                str(each),
            )


def _user_data(env: Mapping[str, str], platform: str) -> Path:
    if platform == "win32":
        local = env.get("LOCALAPPDATA")
        return Path(local) if local else _user(env, "USERPROFILE", "AppData", "Local")
    if platform == "darwin":
        return _user(env, "HOME", "Library", "Application Support")
    # A relative path here is to be ignored (XDG Base Directory Specification).
    data = Path(env.get("XDG_DATA_HOME", ""))
    return data if data.is_absolute() else _user(env, "HOME", ".local", "share")


def _user(env: Mapping[str, str], variable: str, *below: str) -> Path:
    named = env.get(variable)
    return (Path(named) if named else _own_home(variable)).joinpath(*below)


def _own_home(variable: str) -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        # As in a container that runs under a number nobody is called by.
        message = (
            f"this user has no home folder, for {variable} is not set and the system "
            "knows none; dspex keeps answers and runs in it. Set DSPEX_HOME to a "
            "folder of yours, or keep nothing: dspex.Runtime(Config(persist=False))."
        )
        raise ConfigurationError(message) from error
